#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* room = "room:here";

/// Several calls of a machine are one turn, until end_turn(). Each peer is called as its key.
struct PresenceTurn : testing::Test {
    PresenceTurn() {
        driver.machine.add_channel("room:*", {"intercepted"});
        driver.on_join = [this](auto, auto) {
            auto answer = phx::server::JoinAnswer::ok();
            answer.then.presence_state().track(joining, "{}");
            return answer;
        };
        driver.on_message = [](auto, std::string_view event, auto) {
            const std::string key(event.substr(event.find(':') + 1));
            if (event.starts_with("track:")) return phx::server::Actions().track(key);
            if (event.starts_with("untrack:")) return phx::server::Actions().untrack(key);
            if (event == "list") return phx::server::Actions().reply_presence();
            if (event == "ask") return phx::server::Actions().ok();
            return phx::server::Actions().broadcast(event);
        };
        driver.on_out = [](std::string_view event, auto) { return phx::server::Actions().push(event); };
        driver.ends_turns = false;
    }
    void join(const std::string& peer) {
        joining = peer;
        driver.open(peer);
        push(peer, "phx_join");
    }
    void push(const std::string& peer, const std::string& event) {
        driver.text(peer, R"(["1","1",")" + std::string(room) + "\",\"" + event + "\",{}]");
    }
    void end_turn() {
        while (driver.machine.handle_turn_end()) driver.drain();
    }
    /// Whom, and what: `A,B presence_diff +A +B -C`, metas as `+KEY`; replies as `A phx_reply`.
    std::vector<std::string> lines() {
        std::vector<std::string> told;
        for (const std::string& line : driver.lines()) told.push_back(brief(line));
        return told;
    }
    static std::string brief(const std::string& line) {
        const std::size_t at = line.find(" < ");
        if (at == std::string::npos) return line;
        const json frame = json::parse(line.substr(at + 3));
        std::string text = line.substr(0, at) + ' ' + frame[3].get<std::string>();
        const auto add = [&](const json& metas_by_key, const char* sign) {
            for (const auto& [key, entry] : metas_by_key.items())
                for (std::size_t i = 0; i < entry["metas"].size(); ++i) text += ' ' + (sign + key);
        };
        if (frame[3] == "presence_state") add(frame[4], "+");
        if (frame[3] == "phx_reply") add(frame[4]["response"], "+");
        if (frame[3] != "presence_diff") return text;
        add(frame[4]["joins"], "+");
        add(frame[4]["leaves"], "-");
        return text;
    }
    ServerDriver driver;
    std::string joining;
};

TEST_F(PresenceTurn, TellsAllThatHappenedInOneDiff) {
    join("A");
    join("B");
    join("C");
    EXPECT_THAT(lines(), ElementsAre("A phx_reply", "A presence_state", "B phx_reply", "B presence_state",
                                     "C phx_reply", "C presence_state"));
    end_turn();
    EXPECT_THAT(lines(), ElementsAre("A,B,C presence_diff +A +B +C"));
    driver.close("A");
    driver.close("B");
    lines();
    end_turn();
    EXPECT_THAT(lines(), ElementsAre("C presence_diff -A -B"));
    end_turn();
    EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(PresenceTurn, GivesAStateWithoutWhatTheNextDiffWillTell) {
    join("A");
    end_turn();
    join("B");
    driver.close("A");
    lines();
    join("C");
    EXPECT_THAT(lines(), ElementsAre("C phx_reply", "C presence_state +A"));
    end_turn();
    EXPECT_THAT(lines(), ElementsAre("B,C presence_diff +B +C -A"));
}

TEST_F(PresenceTurn, TellsNothingOfWhoCameAndWent) {
    join("A");
    end_turn();
    lines();
    push("A", "track:k");
    push("A", "untrack:k");
    end_turn();
    EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(PresenceTurn, TellsOfSeveralUpdatesTheLastOne) {
    join("A");
    end_turn();
    push("A", "list");
    const json before = json::parse(driver.lines().back().substr(4))[4]["response"]["A"]["metas"][0];
    push("A", "track:A");
    push("A", "track:A");
    end_turn();
    const std::vector<std::string> told = driver.lines();
    ASSERT_THAT(told, SizeIs(1));
    const json diff = json::parse(told[0].substr(4))[4];
    ASSERT_THAT(diff["joins"]["A"]["metas"], SizeIs(1));
    EXPECT_EQ(diff["joins"]["A"]["metas"][0]["phx_ref_prev"], before["phx_ref"]);
    EXPECT_EQ(diff["leaves"]["A"]["metas"], json::array({before}));
}

TEST_F(PresenceTurn, LetsNoBroadcastOvertakeAChange) {
    join("A");
    join("B");
    end_turn();
    lines();
    push("A", "track:k");
    push("B", "news");
    EXPECT_THAT(lines(), ElementsAre("A,B presence_diff +k", "A,B news"));
    push("A", "untrack:k");
    push("B", "intercepted");
    EXPECT_THAT(lines(), ElementsAre("A,B presence_diff -k", "A intercepted", "B intercepted"));
    push("A", "track:k");
    driver.machine.broadcast(driver.now, room, "news", {});
    driver.drain();
    EXPECT_THAT(lines(), ElementsAre("A,B presence_diff +k", "A,B news"));
    end_turn();
    EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(PresenceTurn, TellsAMemberOfItsOwnChangeBeforeAnythingElse) {
    join("A");
    join("B");
    end_turn();
    lines();
    push("A", "track:k");
    push("B", "ask"); // it has changed nothing
    EXPECT_THAT(lines(), ElementsAre("B phx_reply"));
    push("A", "ask");
    EXPECT_THAT(lines(), ElementsAre("A,B presence_diff +k", "A phx_reply"));
    push("A", "untrack:k");
    push("A", "list");
    EXPECT_THAT(lines(), ElementsAre("A,B presence_diff -k", "A phx_reply +A +B"));
}

TEST_F(PresenceTurn, IsEachTopicsOwn) {
    join("A");
    driver.text("A", R"(["2","2","room:other","phx_join",{}])");
    end_turn();
    lines();
    push("A", "track:k");
    driver.text("A", R"(["2","3","room:other","news",{}])");
    EXPECT_THAT(lines(), ElementsAre("A news"));
    driver.close("A"); // both topics are gone
    end_turn();
    for (const std::string& line : lines()) EXPECT_THAT(line, HasSubstr("ended disconnected"));
}

/// What a client keeps that takes its state and every diff as exact: nothing joins twice, nobody leaves who
/// is not there.
struct View {
    bool has_state = false;
    std::set<std::pair<std::string, std::string>> refs = {};

    void take(const json& event, const json& payload) {
        if (event == "presence_state") {
            refs.clear();
            add(payload);
            has_state = true;
        } else if (event == "presence_diff" && has_state) {
            add(payload["joins"]);
            for (const auto& [key, entry] : payload["leaves"].items())
                for (const json& meta : entry["metas"])
                    EXPECT_EQ(refs.erase({key, meta["phx_ref"]}), 1u) << "left, was not there: " << key;
        }
    }
    void add(const json& metas_by_key) {
        for (const auto& [key, entry] : metas_by_key.items())
            for (const json& meta : entry["metas"])
                EXPECT_TRUE(refs.insert({key, meta["phx_ref"]}).second) << "joined twice: " << key;
    }
};

TEST_F(PresenceTurn, TellsEverybodyEverythingOnceHoweverTurnsFall) {
    std::mt19937 random(1);
    const auto pick = [&](unsigned n) { return static_cast<unsigned>(random()) % n; };
    std::map<std::string, View> views;
    const auto look = [&] {
        for (const std::string& line : driver.lines()) {
            const std::size_t at = line.find(" < ");
            if (at == std::string::npos) continue;
            const json frame = json::parse(line.substr(at + 3));
            for (char peer : line.substr(0, at))
                if (views.count({peer})) views[{peer}].take(frame[3], frame[4]);
        }
    };
    for (int step = 0; step < 2000; ++step) {
        const std::string peer(1, static_cast<char>('A' + pick(6)));
        const std::string key(1, static_cast<char>('A' + pick(8)));
        const std::array events{"track:" + key,   "track:" + key,     "untrack:" + key,
                                "untrack:" + key, std::string("ask"), std::string("news")};
        if (!views.count(peer)) {
            views[peer];
            join(peer);
        } else if (pick(8) == 0) {
            driver.close(peer);
            views.erase(peer);
        } else {
            push(peer, events[pick(6)]);
        }
        look();
        if (pick(6) > 0) continue;
        end_turn();
        look();
        for (const auto& [one, view] : views) EXPECT_EQ(view.refs, views.begin()->second.refs) << one;
        ASSERT_FALSE(HasFailure()) << "step " << step;
    }
}

} // namespace
} // namespace phx::test
