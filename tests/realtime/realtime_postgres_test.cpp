#include "tests/realtime/realtime_world.hpp"

// Changes of the database.
namespace phx::test {
namespace {

using realtime::ChangeKind;

std::string change_of(std::string_view kind, std::string_view ids, std::string_view record = R"({"id":1})") {
    return R"({"ids":)" + std::string(ids) + R"(,"data":{"table":"todos","type":")" + std::string(kind) +
           R"(","schema":"public","commit_timestamp":"2026-01-02T03:04:05.678Z","errors":null,)"
           R"("columns":[{"name":"id","type":"int8"}],"record":)" +
           std::string(record) + R"(,"old_record":{"id":1}}})";
}

struct Changing : Supabase {
    explicit Changing(RealtimeChannelOptions options = {})
        : room(client->channel("room", std::move(options))) {}
    auto keep(std::string_view name) {
        return [this, name = std::string(name)](const PostgresChange& change) {
            seen.push_back(name + ' ' + std::string(to_string(change.kind())) + ' ' +
                           std::string(change.new_text()));
        };
    }
    void subscribe() { ASSERT_TRUE(room.subscribe(told()).wait()); }
    void receive(std::string_view payload) {
        backend.peer->push("realtime:room", "postgres_changes", payload);
        settle();
    }
    std::vector<std::string> seen;
    RealtimeChannel room;
};

TEST(RealtimePostgres, ReachTheHandlersByIdAndKind) {
    Changing client;
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("all"))
        .on_postgres_changes({ChangeKind::insert, "public", "todos"}, client.keep("insert"))
        .on_postgres_changes({ChangeKind::insert, "public", "other"}, client.keep("other"));
    client.subscribe();
    client.receive(change_of("INSERT", "[1001,1000]"));
    client.receive(change_of("UPDATE", "[1000]"));
    client.receive(change_of("DELETE", "[1000,1001]", "null")); // the second does not want it
    EXPECT_EQ(client.seen, (Lines{R"(all INSERT {"id":1})", R"(insert INSERT {"id":1})",
                                  R"(all UPDATE {"id":1})", "all DELETE {}"}));
    EXPECT_TRUE(client.errors.empty());
}

TEST(RealtimePostgres, TheSameFilterTwiceIsOneSubscription) {
    HandlerId first;
    Changing client;
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"), &first)
        .on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("two"));
    client.subscribe();
    EXPECT_EQ(client.join(0)["config"]["postgres_changes"].size(), 1U);
    client.receive(change_of("UPDATE", "[1000]"));
    client.room.off(first);
    client.receive(change_of("UPDATE", "[1000]"));
    EXPECT_EQ(client.seen,
              (Lines{R"(one UPDATE {"id":1})", R"(two UPDATE {"id":1})", R"(two UPDATE {"id":1})"}));
}

TEST(RealtimePostgres, TakeTheIdsOfEachJoin) {
    Changing client;
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"));
    client.subscribe();
    client.backend.joins.push_back(
        {"ok", R"({"postgres_changes":[{"event":"*","schema":"public","table":"todos","id":7}]})"});
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    client.receive(change_of("UPDATE", "[7]"));
    EXPECT_EQ(client.seen, Lines{R"(one UPDATE {"id":1})"});
}

TEST(RealtimePostgres, HandlersThatComeTooLateAreReported) {
    Changing client;
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"));
    client.subscribe();
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("same"));
    client.settle();
    EXPECT_TRUE(client.errors.empty()); // the server knows the filter
    client.room.on_postgres_changes({ChangeKind::all, "public", "late"}, client.keep("late"));
    client.settle();
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::invalid_argument);
    EXPECT_NE(client.errors[0].message.find("before subscribe()"), std::string::npos);
    // After an unsubscribe there is time again.
    client.room.unsubscribe();
    client.settle();
    client.room.on_postgres_changes({ChangeKind::all, "public", "late"}, client.keep("late"));
    EXPECT_TRUE(client.room.subscribe().wait());
    client.receive(change_of("UPDATE", "[1001]"));
    EXPECT_EQ(client.seen, Lines{R"(late UPDATE {"id":1})"});
    EXPECT_EQ(client.errors.size(), 1U);
}

TEST(RealtimePostgres, FiltersThatTheServerNeverTakesThrow) {
    Changing client;
    EXPECT_THROW(client.room.on_postgres_changes({ChangeKind::all, ""}, client.keep("x")),
                 std::invalid_argument);
    client.subscribe();
    EXPECT_TRUE(client.join(0)["config"]["postgres_changes"].empty());
}

TEST(RealtimePostgres, BigNumbersKeepTheirDigitsIfThatIsWanted) {
    for (const bool is_exact : {false, true}) {
        RealtimeChannelOptions options;
        if (is_exact) options.numbers = realtime::PostgresNumbers::exact_as_text;
        Changing client(std::move(options));
        client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"));
        client.subscribe();
        client.receive(change_of("INSERT", "[1000]", R"({"id":9007199254740993})"));
        EXPECT_EQ(client.seen, Lines{is_exact ? R"(one INSERT {"id":"9007199254740993"})"
                                              : R"(one INSERT {"id":9007199254740993})"});
    }
}

TEST(RealtimePostgres, WhatTheServerSaysAboutThemIsSeen) {
    std::vector<SystemMessage> said;
    Changing client;
    client.room.on_system([&](const SystemMessage& system) { said.push_back(system); })
        .on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"));
    client.subscribe();
    client.backend.push_joined(
        "realtime:room", "system",
        R"({"message":"Subscribed to PostgreSQL","status":"ok","extension":"postgres_changes",)"
        R"("channel":"room"})");
    client.backend.push_joined("realtime:room", "system",
                               R"({"message":"Error parsing `filter` params: [\"task\"]","status":"error",)"
                               R"("extension":"postgres_changes","channel":"room"})");
    client.settle();
    ASSERT_EQ(said.size(), 2U);
    EXPECT_TRUE(said[0].is_subscribed_to_postgres());
    EXPECT_EQ(said[1].reason(), Reason::postgres_filter_invalid);
    EXPECT_EQ(client.room.state(), ChannelState::joined);
    EXPECT_EQ(client.lines, Lines{"SUBSCRIBED"});
}

TEST(RealtimePostgres, WhatCannotBeReadOrIsForNobodyIsReportedOnceAndTheConnectionLivesOn) {
    Changing client;
    client.room.on_postgres_changes({ChangeKind::all, "public", "todos"}, client.keep("one"));
    client.subscribe();
    const char* const bad[] = {"[]", "{}", R"({"ids":[1000]})", R"({"ids":7,"data":{}})",
                               R"({"ids":[1000],"data":{"type":"TRUNCATE"}})"};
    std::size_t count = 0;
    for (const char* const payload : bad) {
        client.receive(payload);
        EXPECT_EQ(client.errors.size(), ++count) << payload;
    }
    client.receive(change_of("INSERT", "[7]"));
    EXPECT_EQ(client.errors.size(), ++count);
    for (const Error& error : client.errors) {
        EXPECT_EQ(error.code, Errc::invalid_payload);
        EXPECT_EQ(error.origin, Origin::peer);
        EXPECT_TRUE(error.message.starts_with("realtime:room: ")) << error.message;
    }
    client.receive(change_of("INSERT", "[1000]"));
    EXPECT_EQ(client.seen.size(), 1U);
    EXPECT_EQ(client.world.dialled(), 1U);
}

TEST(RealtimePostgres, SystemMessagesThatCannotBeReadAreReported) {
    Changing client;
    client.subscribe();
    client.backend.push_joined("realtime:room", "system", "[1]");
    client.settle();
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::invalid_payload);
    EXPECT_EQ(client.room.state(), ChannelState::joined);
}

} // namespace
} // namespace phx::test
