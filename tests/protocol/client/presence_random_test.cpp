#include "protocol/client/presence.hpp"

#include "tests/protocol/client/presence_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

// Random states and diffs through the store and through phoenix.js' algorithm, written down line by line.
namespace phx::protocol {
namespace {

using test::Lines;

struct Meta {
    int ref = 0;
    int text = 0; // differs between two metas of one ref
};
using Metas = std::vector<Meta>;
using State = std::vector<std::pair<std::string, Metas>>; // a JavaScript object: ordered, searched by key

Metas* find(State& state, const std::string& key) {
    for (auto& [name, metas] : state)
        if (name == key) return &metas;
    return nullptr;
}
bool has(const Metas& metas, int ref) {
    return std::any_of(metas.begin(), metas.end(), [ref](const Meta& meta) { return meta.ref == ref; });
}
Metas without(const Metas& metas, const Metas& others) {
    Metas rest;
    for (const Meta& meta : metas)
        if (!has(others, meta.ref)) rest.push_back(meta);
    return rest;
}
Metas within(const Metas& metas, const Metas& others) {
    Metas some;
    for (const Meta& meta : metas)
        if (has(others, meta.ref)) some.push_back(meta);
    return some;
}

std::string shown(const Metas& metas) {
    std::string text = "[";
    for (const Meta& meta : metas) text.append(text.size() > 1 ? "," : "").append(std::to_string(meta.ref));
    return text + ']';
}
std::string json(const State& state) {
    std::string text = "{";
    for (const auto& [key, metas] : state) {
        text.append(text.size() > 1 ? ",\"" : "\"").append(key).append(R"(":{"metas":[)");
        for (std::size_t i = 0; i < metas.size(); ++i) {
            text.append(i > 0 ? R"(,{"phx_ref":")" : R"({"phx_ref":")").append(std::to_string(metas[i].ref));
            text.append(R"(","n":)").append(std::to_string(metas[i].text)).append("}");
        }
        text += "]}";
    }
    return text + '}';
}

struct Call {
    std::string key;
    std::optional<Metas> current; // before a join, after a leave
    Metas changed;
};

/// presence.js syncDiff
void phoenix_sync_diff(State& state, const State& joins, const State& leaves, std::vector<Call>& on_join,
                       std::vector<Call>& on_leave) {
    for (const auto& [key, fresh] : joins) {
        Metas* const current = find(state, key);
        on_join.push_back({key, current ? std::optional(*current) : std::nullopt, fresh});
        if (!current) {
            state.emplace_back(key, fresh);
            continue;
        }
        Metas merged = without(*current, fresh);
        merged.insert(merged.end(), fresh.begin(), fresh.end());
        *current = merged;
    }
    for (const auto& [key, left] : leaves) {
        Metas* const current = find(state, key);
        if (!current) continue;
        const Metas was_there = within(left, *current); // not in phoenix.js: ours reports what was there
        *current = without(*current, left);
        on_leave.push_back({key, *current, was_there});
        if (current->empty()) std::erase_if(state, [&key = key](const auto& e) { return e.first == key; });
    }
}

/// presence.js syncState: what it gives to syncDiff
std::pair<State, State> phoenix_state_difference(State& state, State& fresh) {
    State joins, leaves;
    for (const auto& [key, metas] : state)
        if (!find(fresh, key)) leaves.emplace_back(key, metas);
    for (const auto& [key, metas] : fresh) {
        const Metas* const current = find(state, key);
        const Metas joined = current ? without(metas, *current) : metas;
        const Metas left = current ? without(*current, metas) : Metas();
        if (!joined.empty()) joins.emplace_back(key, joined);
        if (!left.empty()) leaves.emplace_back(key, left);
    }
    return {joins, leaves};
}

/// The calls of phoenix.js as ours reports them: nothing for what was there or was not, and one update for a
/// join and a leave of a key that was there and stays.
Lines as_ours(const std::vector<Call>& joins, const std::vector<Call>& leaves, const std::string& other_end) {
    Lines lines;
    std::vector<std::string> updated;
    for (const Call& join : joins) {
        const Metas fresh = join.current ? without(join.changed, *join.current) : join.changed;
        if (fresh.empty()) continue;
        const auto leave = std::find_if(leaves.begin(), leaves.end(), [&](const Call& call) {
            return call.key == join.key && !call.changed.empty() && !call.current->empty();
        });
        if (join.current && leave != leaves.end()) {
            updated.push_back(join.key);
            lines.push_back("update " + join.key + " " + shown(*join.current) + " to " +
                            shown(*leave->current));
        } else {
            lines.push_back("join " + join.key + shown(fresh) +
                            (join.current ? " before " + shown(*join.current) : ""));
        }
    }
    for (const Call& leave : leaves) {
        if (leave.changed.empty()) continue;
        if (std::find(updated.begin(), updated.end(), leave.key) != updated.end()) continue;
        lines.push_back("leave " + leave.key + shown(leave.changed) + " now " + shown(*leave.current));
    }
    lines.push_back(other_end);
    return lines;
}

class RandomPresence {
public:
    explicit RandomPresence(std::uint32_t seed) : random_(seed) {}

    int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
    State some(int max_keys) {
        State state;
        for (int keys = below(max_keys + 1); keys > 0; --keys) {
            const std::string key(1, static_cast<char>('a' + below(6)));
            if (find(state, key)) continue;
            Metas metas;
            for (int n = 1 + below(3); n > 0; --n) {
                const Meta meta{below(5), ++text_};
                if (!has(metas, meta.ref)) metas.push_back(meta);
            }
            state.emplace_back(key, metas);
        }
        return state;
    }

private:
    std::mt19937 random_;
    int text_ = 0;
};

/// The order of leaves of keys that also join is not phoenix.js', so lines are compared as a set, and that
/// leaves come last for itself.
void expect_same(Lines ours, Lines theirs) {
    bool has_left = false;
    for (const std::string& line : ours) {
        const bool is_leave = line.starts_with("leave");
        EXPECT_FALSE(has_left && !is_leave && line != "sync") << line;
        has_left |= is_leave;
    }
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    EXPECT_EQ(ours, theirs);
}

void expect_same_state(const PresenceStore& store, const State& model) {
    std::string ours = "{";
    std::size_t bytes = 0;
    for (const PresenceEntry& entry : store.state()) {
        bytes += presence_bytes(entry);
        ours.append(ours.size() > 1 ? ",\"" : "\"").append(entry.key).append(R"(":{"metas":[)");
        for (std::size_t i = 0; i < entry.metas.size(); ++i)
            ours.append(i > 0 ? "," : "").append(entry.metas[i].text());
        ours += "]}";
        EXPECT_EQ(*store.find(entry.key), entry);
    }
    EXPECT_EQ(ours + '}', json(model));
    EXPECT_EQ(store.bytes(), bytes);
    EXPECT_EQ(store.size(), model.size());
}

TEST(PresenceRandom, DoesAsPhoenixJsDoes) {
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomPresence random(seed);
        PresenceStore store({}, seed);
        State model;
        for (int step = 0; step < 20; ++step) {
            SCOPED_TRACE("step " + std::to_string(step));
            std::vector<Call> on_join, on_leave;
            if (random.below(5) == 0) {
                State fresh = random.some(6);
                const Lines ours = test::sync_state(store, json(fresh));
                const auto [joins, leaves] = phoenix_state_difference(model, fresh);
                phoenix_sync_diff(model, joins, leaves, on_join, on_leave);
                // phoenix.js keeps its texts and its order of the metas that stay; ours takes the server's.
                ASSERT_EQ(model.size(), fresh.size());
                for (auto& [key, metas] : model) {
                    ASSERT_TRUE(without(metas, *find(fresh, key)).empty());
                    ASSERT_EQ(metas.size(), find(fresh, key)->size());
                    metas = *find(fresh, key);
                }
                for (Call& call : on_leave) {
                    if (Metas* const now = find(model, call.key)) call.current = *now;
                }
                expect_same(ours, as_ours(on_join, on_leave, "sync"));
            } else {
                const State joins = random.some(3), leaves = random.some(3);
                const Lines ours = test::sync_diff(store, R"({"joins":)" + json(joins) + R"(,"leaves":)" +
                                                              json(leaves) + "}");
                phoenix_sync_diff(model, joins, leaves, on_join, on_leave);
                expect_same(ours, as_ours(on_join, on_leave, "sync"));
            }
            expect_same_state(store, model);
            if (testing::Test::HasFailure()) return;
        }
    }
}

} // namespace
} // namespace phx::protocol
