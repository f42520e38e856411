#include "tests/realtime/realtime_world.hpp"

// Who is there, in realtime-js' shapes.
namespace phx::test {
namespace {

std::string line(const char* what, const PresenceEvent& event) {
    const auto texts = [](const std::vector<PresenceMeta>& metas) {
        std::string text = "[";
        for (const PresenceMeta& meta : metas) {
            const auto json = realtime::presence_json(meta);
            text += json ? json->dump() : "?";
        }
        return text + ']';
    };
    return what + (' ' + event.key) + " had " + texts(event.current) + " changed " + texts(event.changed);
}

struct Watching : Supabase {
    explicit Watching(RealtimeChannelOptions options = {})
        : room(client->channel("room", std::move(options))) {
        backend.answers["presence"] = {"ok", "{}"};
    }
    void watch() {
        room.on_presence_join([this](const PresenceEvent& e) { seen.push_back(line("join", e)); }, &join_id)
            .on_presence_leave([this](const PresenceEvent& e) { seen.push_back(line("leave", e)); })
            .on_presence_sync([this] { seen.emplace_back("sync"); });
    }
    void subscribe() { ASSERT_TRUE(room.subscribe(told()).wait()); }
    void state(std::string_view json) {
        backend.push_joined("realtime:room", "presence_state", json);
        settle();
    }
    void diff(std::string_view json) {
        backend.peer->push("realtime:room", "presence_diff", json);
        settle();
    }
    std::vector<std::string> payloads() {
        std::vector<std::string> all;
        for (const Frame& frame : sent("presence")) all.push_back(frame.payload);
        return all;
    }
    HandlerId join_id;
    std::vector<std::string> seen;
    RealtimeChannel room;
};

TEST(RealtimePresence, IsAskedForOnlyWhenSomebodyWantsIt) {
    const auto enabled = [](Watching& client) {
        client.subscribe();
        return client.join(0)["config"]["presence"]["enabled"].get<bool>();
    };
    Watching none;
    EXPECT_FALSE(enabled(none));
    Watching watched;
    watched.watch();
    EXPECT_TRUE(enabled(watched));
    RealtimeChannelOptions options;
    options.presence = true;
    Watching wanted(std::move(options));
    EXPECT_TRUE(enabled(wanted));
}

TEST(RealtimePresence, OfABusyRoomIsNothingToWhoDoesNotWantIt) {
    Watching client; // the server sends diffs to all, but the state only to who asked for it
    client.subscribe();
    for (int i = 0; i < 1100; ++i) {
        const std::string key = std::to_string(i);
        client.backend.peer->push("realtime:room", "presence_diff",
                                  R"({"joins":{")" + key + R"(":{"metas":[{"phx_ref":")" + key +
                                      R"("}]}},"leaves":{}})");
    }
    client.settle();
    EXPECT_TRUE(client.errors.empty());
    EXPECT_EQ(client.room.presences().size(), 0U);
}

TEST(RealtimePresence, ThatIsWantedTooLateIsReportedAndComesWithTheNextJoin) {
    Watching client;
    client.subscribe();
    client.watch();
    client.settle();
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::invalid_argument);
    EXPECT_NE(client.errors[0].message.find("before subscribe()"), std::string::npos);
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.sent("phx_join").size() == 2; }));
    client.settle();
    EXPECT_TRUE(client.join(1)["config"]["presence"]["enabled"].get<bool>());
    client.state(R"({"ada":{"metas":[{"phx_ref":"1"}]}})");
    EXPECT_EQ(client.seen, (Lines{R"(join ada had [] changed [{"presence_ref":"1"}])", "sync"}));
    EXPECT_EQ(client.errors.size(), 1U);
}

TEST(RealtimePresence, TellsWhoComesAndGoes) {
    Watching client;
    client.watch();
    client.subscribe();
    client.state(R"({"ada":{"metas":[{"phx_ref":"1","at":"home"}]}})");
    client.diff(R"({"joins":{"bob":{"metas":[{"phx_ref":"2"}]}},"leaves":{}})");
    client.diff(R"({"joins":{},"leaves":{"ada":{"metas":[{"phx_ref":"1","at":"home"}]}}})");
    EXPECT_EQ(client.seen, (Lines{R"(join ada had [] changed [{"at":"home","presence_ref":"1"}])", "sync",
                                  R"(join bob had [] changed [{"presence_ref":"2"}])", "sync",
                                  R"(leave ada had [] changed [{"at":"home","presence_ref":"1"}])", "sync"}));
    const auto state = client.room.presence_state();
    ASSERT_EQ(state.size(), 1U);
    EXPECT_EQ(state.at("bob"), (std::vector<Json>{{{"presence_ref", "2"}}}));
    EXPECT_EQ(client.room.presences().size(), 1U);
    EXPECT_TRUE(client.errors.empty());
}

TEST(RealtimePresence, TellsAnUpdateAsAJoinAndALeave) {
    Watching client;
    client.watch();
    client.subscribe();
    client.state(R"({"ada":{"metas":[{"phx_ref":"1","n":1}]}})");
    client.seen.clear();
    client.diff(R"({"joins":{"ada":{"metas":[{"phx_ref":"2","phx_ref_prev":"1","n":2}]}},)"
                R"("leaves":{"ada":{"metas":[{"phx_ref":"1","n":1}]}}})");
    EXPECT_EQ(client.seen,
              (Lines{R"(join ada had [{"n":1,"presence_ref":"1"}] changed [{"n":2,"presence_ref":"2"}])",
                     R"(leave ada had [{"n":2,"presence_ref":"2"}] changed [{"n":1,"presence_ref":"1"}])",
                     "sync"}));
}

TEST(RealtimePresence, OffEndsBothHalvesOfAHandler) {
    Watching client;
    client.watch();
    client.subscribe();
    client.room.off(client.join_id);
    client.state(R"({"ada":{"metas":[{"phx_ref":"1"}]}})");
    client.diff(
        R"({"joins":{"ada":{"metas":[{"phx_ref":"2"}]}},"leaves":{"ada":{"metas":[{"phx_ref":"1"}]}}})");
    EXPECT_EQ(
        client.seen,
        (Lines{"sync", R"(leave ada had [{"presence_ref":"2"}] changed [{"presence_ref":"1"}])", "sync"}));
}

TEST(RealtimePresence, OnlyDifferencesAreToldAfterALoss) {
    Watching client;
    client.watch();
    client.subscribe();
    client.state(R"({"ada":{"metas":[{"phx_ref":"1"}]},"bob":{"metas":[{"phx_ref":"2"}]}})");
    client.seen.clear();
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    client.state(R"({"ada":{"metas":[{"phx_ref":"1"}]},"eve":{"metas":[{"phx_ref":"3"}]}})");
    std::sort(client.seen.begin(), client.seen.end());
    EXPECT_EQ(client.seen, (Lines{R"(join eve had [] changed [{"presence_ref":"3"}])",
                                  R"(leave bob had [] changed [{"presence_ref":"2"}])", "sync"}));
}

TEST(RealtimePresence, BadPayloadsAreReportedAndTheConnectionLivesOn) {
    Watching client;
    client.watch();
    client.subscribe();
    client.state("[1]");
    EXPECT_GE(client.errors.size(), 1U);
    for (const Error& error : client.errors) EXPECT_EQ(error.origin, Origin::peer);
    client.state(R"({"ada":{"metas":[{"phx_ref":"1"}]}})");
    EXPECT_EQ(client.room.presences().size(), 1U);
    EXPECT_EQ(client.world.dialled(), 1U);
}

// ---- to be seen

const std::string track_1 = R"({"type":"presence","event":"track","payload":{"n":1}})";
const std::string untrack = R"({"type":"presence","event":"untrack"})";

TEST(RealtimePresence, TracksWithTheServersAnswer) {
    Watching client;
    client.subscribe();
    EXPECT_TRUE(client.room.track({{"n", 1}}).wait());
    EXPECT_TRUE(client.room.untrack().wait());
    EXPECT_EQ(client.payloads(), (Lines{track_1, untrack}));
    client.backend.answers["presence"] = {"error", R"({"reason":"Presence track payload must be a map"})"};
    const auto refused = client.room.track(7).wait();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Reason::track_payload_not_a_map);
    EXPECT_EQ(client.room.track_text("{").wait().error().code, Errc::invalid_payload);
}

TEST(RealtimePresence, IsTrackedAgainAfterALossUntilItIsUntracked) {
    Watching client;
    client.subscribe();
    EXPECT_TRUE(client.room.track({{"n", 1}}).wait());
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    client.settle();
    EXPECT_EQ(client.payloads(), (Lines{track_1, track_1}));
    EXPECT_TRUE(client.room.untrack().wait());
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 5; }));
    client.settle();
    EXPECT_EQ(client.payloads(), (Lines{track_1, track_1, untrack}));
    EXPECT_TRUE(client.errors.empty());
}

TEST(RealtimePresence, ThatIsTrackedWhileTheConnectionIsAwayIsSentOnce) {
    Watching client;
    client.subscribe();
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 2; }));
    const Push tracked = client.room.track({{"n", 1}});
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    EXPECT_TRUE(tracked.wait());
    client.settle();
    EXPECT_EQ(client.payloads(), Lines{track_1});
}

TEST(RealtimePresence, EndsWithTheSubscription) {
    Watching client;
    client.subscribe();
    EXPECT_TRUE(client.room.track({{"n", 1}}).wait());
    client.room.unsubscribe();
    client.settle();
    EXPECT_TRUE(client.room.subscribe().wait());
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.sent("phx_join").size() == 3; }));
    client.settle();
    EXPECT_EQ(client.payloads(), Lines{track_1});
}

TEST(RealtimePresence, ThatCouldNotBeTrackedWithoutASubscriptionIsNotTrackedLater) {
    Watching client;
    EXPECT_EQ(client.room.track({{"n", 1}}).wait().error().code, Errc::not_joined);
    client.subscribe();
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    client.settle();
    EXPECT_TRUE(client.payloads().empty());
}

} // namespace
} // namespace phx::test
