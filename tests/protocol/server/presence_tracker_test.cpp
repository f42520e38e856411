#include "protocol/server/presence_tracker.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {
namespace {

using namespace protocol::server;
using phx::server::PresenceEntry;

MemberId member(std::uint64_t number) { return MemberId{number}; }

std::size_t state_bytes(PresenceTracker& tracker) {
    std::string told, state;
    tracker.take_diff(told);
    tracker.append_state(state);
    return state.size();
}

struct Tracked : testing::Test {
    /// What another node tells of somebody: a new meta each time.
    PresenceEntry entry(const std::string& id, const std::string& key, const std::string& members) {
        std::string value;
        const std::string ref = ids.ref();
        append_presence_value(value, {key, members, ref, {}});
        return {"other", id, value};
    }
    PresenceTracker tracker;
    PresenceIds ids{7};
};

TEST_F(Tracked, HasNoBytesWhenEverybodyHasGone) {
    tracker.track(member(1), "a", R"("n":1)", Repeat::update, ids);
    const std::size_t one = tracker.bytes();
    tracker.track(member(2), "a", R"("n":1)", Repeat::update, ids);
    EXPECT_EQ(tracker.bytes(), 2 * one);
    tracker.track(member(1), "a", R"("n":12345)", Repeat::update, ids);
    EXPECT_EQ(tracker.bytes(), 2 * one + 4);
    tracker.merge({entry("1", "b", R"("m":1)")}, {});
    EXPECT_EQ(tracker.bytes(), 3 * one + 4);
    tracker.untrack(member(2), "a");
    tracker.merge({}, {entry("1", "b", {})});
    EXPECT_EQ(tracker.bytes(), one + 4);
    tracker.untrack(member(2), "a");
    tracker.merge({}, {entry("1", "b", {})});
    EXPECT_EQ(tracker.bytes(), one + 4) << "nobody goes twice";
    tracker.untrack_all(member(1), std::vector<std::string>{"a"});
    EXPECT_EQ(tracker.bytes(), 0u);
    EXPECT_EQ(tracker.size(), 0u);
}

TEST_F(Tracked, HasNoFewerBytesThanItsStateWhateverHappens) {
    std::mt19937_64 random(7);
    const auto pick = [&](std::uint64_t n) { return random() % n; };
    const std::vector<std::string> keys = {"", "a", "\"\\", std::string("\0\x1f\n", 3), "\xc3\xa9"};
    std::set<std::pair<std::uint64_t, std::string>> here;
    std::map<std::string, std::string> there; // key by id
    for (int i = 0; i < 2'000; ++i) {
        const std::string& key = keys[pick(keys.size())];
        const std::uint64_t owner = 1 + pick(5);
        const std::string meta = pick(4) == 0 ? "" : R"("n":")" + std::string(pick(20), 'x') + '"';
        const std::string id = std::to_string(pick(5));
        switch (pick(4)) {
        case 0:
            tracker.track(member(owner), key, meta, pick(2) == 0 ? Repeat::update : Repeat::ignore, ids);
            here.emplace(owner, key);
            break;
        case 1:
            tracker.untrack(member(owner), key);
            here.erase({owner, key});
            break;
        case 2: tracker.merge({entry(id, there.emplace(id, key).first->second, meta)}, {}); break;
        case 3:
            tracker.merge({}, {entry(id, key, {})});
            there.erase(id);
            break;
        }
        ASSERT_EQ(tracker.size(), here.size() + there.size());
        ASSERT_GE(tracker.bytes() + 2, state_bytes(tracker)) << "and the braces";
    }
    for (const auto& [owner, key] : here) tracker.untrack(member(owner), key);
    for (const auto& [id, key] : there) tracker.merge({}, {entry(id, key, {})});
    EXPECT_EQ(tracker.bytes(), 0u);
}

TEST_F(Tracked, HasRoomUpToItsBounds) {
    EXPECT_FALSE(tracker.has_room(member(1), "a", "", {0, 1000}));
    EXPECT_FALSE(tracker.has_room(member(1), "a", "", {1, 0}));
    tracker.track(member(1), "a", "123", Repeat::update, ids);
    const std::size_t one = tracker.bytes();
    EXPECT_TRUE(tracker.has_room(member(2), "a", "123", {2, 2 * one}));
    EXPECT_FALSE(tracker.has_room(member(2), "a", "123", {1, 2 * one}));
    EXPECT_FALSE(tracker.has_room(member(2), "a", "123", {2, 2 * one - 1}));
    EXPECT_FALSE(tracker.has_room(member(1), "b", "123", {1, 2 * one})) << "another key is another meta";
}

TEST_F(Tracked, HasRoomForAnUpdateThatDoesNotGrow) {
    tracker.track(member(1), "a", "123", Repeat::update, ids);
    const std::size_t one = tracker.bytes();
    EXPECT_TRUE(tracker.has_room(member(1), "a", "1234", {1, one + 1}));
    EXPECT_FALSE(tracker.has_room(member(1), "a", "1234", {1, one}));
    tracker.merge({entry("1", "b", std::string(100, 'x'))}, {}); // not asked
    EXPECT_TRUE(tracker.has_room(member(1), "a", "321", {1, one})) << "although it is beyond the bounds";
    EXPECT_FALSE(tracker.has_room(member(1), "a", "3210", {1, one}));
}

} // namespace
} // namespace phx::test
