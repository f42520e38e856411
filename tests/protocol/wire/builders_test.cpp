#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"
#include "phx/protocol/ref_counter.hpp"

#include <gtest/gtest.h>

using namespace std::string_literals;

namespace phx::protocol {
namespace {

const Address address{"room:a", JsonToken{"\"1\""}, JsonToken{"\"2\""}};

template <class Build> std::string text(Build build) {
    std::string out = "<";
    build(out);
    return out.substr(1);
}

template <class Build> std::string sent(Opcode expected, Build build) {
    std::string out = "<";
    EXPECT_EQ(build(out).value(), expected);
    return out.substr(1);
}

TEST(Builders, JoinPayloadHasTheDefaultsOfRealtimeJs) {
    EXPECT_EQ(join_payload({}),
              R"({"config":{"broadcast":{"ack":false,"self":false},"presence":{"key":"","enabled":false},)"
              R"("postgres_changes":[],"private":false}})");
}

TEST(Builders, JoinPayloadSaysAllThatIsConfigured) {
    JoinConfig config;
    config.broadcast_ack = config.broadcast_self = config.presence_enabled = config.is_private = true;
    config.replay_since_ms = 1'700'000'000'000;
    config.replay_limit = 5;
    config.presence_key = "al\"ice";
    PostgresBinding all;
    PostgresBinding one;
    one.event = "INSERT";
    one.table = "todos";
    one.filter = "task=eq.\"hit\"";
    one.select = {"id", "details"};
    PostgresBinding bare;
    bare.event.clear();
    bare.schema.clear();
    bare.select = {"id"};
    config.postgres_changes = {all, one, bare};
    EXPECT_EQ(
        join_payload(config, "tok\\en"),
        R"({"config":{"broadcast":{"ack":true,"self":true,"replay":{"since":1700000000000,"limit":5}},)"
        R"("presence":{"key":"al\"ice","enabled":true},"postgres_changes":[{"event":"*","schema":"public"},)"
        R"({"event":"INSERT","schema":"public","table":"todos","filter":"task=eq.\"hit\"","select":["id","details"]},)"
        R"({"select":["id"]}],"private":true},"access_token":"tok\\en"})");
    EXPECT_TRUE(validate_json(join_payload(config, "")));
    config.replay_limit.reset();
    EXPECT_NE(join_payload(config).find(R"("replay":{"since":1700000000000}})"), std::string::npos);
    config.replay_since_ms.reset();
    config.replay_limit = 5;
    EXPECT_EQ(join_payload(config).find("replay"), std::string::npos);
}

TEST(Builders, PayloadsEscapeTextAndTakeJsonAsItIs) {
    EXPECT_EQ(broadcast_payload("a\"b", "[1, 2]"), R"({"type":"broadcast","event":"a\"b","payload":[1, 2]})");
    EXPECT_EQ(broadcast_payload("e", ""), R"({"type":"broadcast","event":"e","payload":{}})");
    EXPECT_EQ(presence_track_payload("{\"a\":1}"),
              R"({"type":"presence","event":"track","payload":{"a":1}})");
    EXPECT_EQ(presence_track_payload(""), R"({"type":"presence","event":"track","payload":{}})");
    EXPECT_EQ(presence_untrack_payload(), R"({"type":"presence","event":"untrack"})");
    EXPECT_EQ(access_token_payload("a\nb"), R"({"access_token":"a\nb"})");
}

TEST(Builders, FramesToAServerOfVersionTwo) {
    const auto v2 = Vsn::v2;
    EXPECT_EQ(text([&](auto& out) { build_join(v2, address, "{\"a\":1}", out); }),
              R"(["1","2","room:a","phx_join",{"a":1}])");
    EXPECT_EQ(text([&](auto& out) { build_leave(v2, address, out); }),
              R"(["1","2","room:a","phx_leave",{}])");
    EXPECT_EQ(text([&](auto& out) { build_heartbeat(v2, {"\"7\""}, out); }),
              R"([null,"7","phoenix","heartbeat",{}])");
    EXPECT_EQ(text([&](auto& out) { build_broadcast(v2, address, "e", "1", out); }),
              R"(["1","2","room:a","broadcast",{"type":"broadcast","event":"e","payload":1}])");
    EXPECT_EQ(text([&](auto& out) { build_presence_track(v2, address, "{}", out); }),
              R"(["1","2","room:a","presence",{"type":"presence","event":"track","payload":{}}])");
    EXPECT_EQ(text([&](auto& out) { build_presence_untrack(v2, address, out); }),
              R"(["1","2","room:a","presence",{"type":"presence","event":"untrack"}])");
    EXPECT_EQ(text([&](auto& out) { build_access_token(v2, address, "tok", out); }),
              R"(["1","2","room:a","access_token",{"access_token":"tok"}])");
    EXPECT_EQ(sent(Opcode::text,
                   [&](auto& out) { return build_push(v2, Address{"t"}, "e", Opcode::text, "", out); }),
              R"([null,null,"t","e",{}])");
    EXPECT_EQ(sent(Opcode::binary,
                   [&](auto& out) { return build_push(v2, address, "e", Opcode::binary, "\xFF", out); }),
              "\0\x01\x01\x06\x01"s + "12room:ae\xFF");
    EXPECT_EQ(
        sent(Opcode::binary,
             [&](auto& out) { return build_user_push(v2, address, "e", "{}", Opcode::text, "1", out); }),
        "\x03\x01\x01\x06\x01\x02\x01"s + "12room:ae{}1");
    EXPECT_EQ(
        sent(Opcode::binary,
             [&](auto& out) { return build_user_push(v2, address, "e", "", Opcode::binary, "1", out); }),
        "\x03\x01\x01\x06\x01\0\0"s + "12room:ae1");
}

TEST(Builders, FramesToAServerOfVersionOne) {
    const auto v1 = Vsn::v1;
    EXPECT_EQ(text([&](auto& out) { build_join(v1, address, "{\"a\":1}", out); }),
              R"({"topic":"room:a","event":"phx_join","ref":"2","join_ref":"1","payload":{"a":1}})");
    EXPECT_EQ(text([&](auto& out) {
                  build_leave(v1, Address{"t", {}, JsonToken{"3"}}, out);
              }),
              R"({"topic":"t","event":"phx_leave","ref":3,"payload":{}})");
    EXPECT_EQ(text([&](auto& out) { build_heartbeat(v1, {"\"7\""}, out); }),
              R"({"topic":"phoenix","event":"heartbeat","ref":"7","payload":{}})");
    EXPECT_EQ(
        sent(Opcode::text,
             [&](auto& out) { return build_user_push(v1, address, "e", "{}", Opcode::text, "1", out); }),
        R"({"topic":"room:a","event":"broadcast","ref":"2","join_ref":"1",)"
        R"("payload":{"type":"broadcast","event":"e","meta":{},"payload":1}})");
    std::string out;
    EXPECT_EQ(build_push(v1, address, "e", Opcode::binary, "x", out).error().code, Errc::invalid_payload);
    EXPECT_EQ(out, "");
}

TEST(Builders, FramesToAClientOfVersionTwo) {
    const auto v2 = Vsn::v2;
    EXPECT_EQ(
        sent(Opcode::text, [&](auto& out) { return build_reply(v2, address, "ok", Opcode::text, "", out); }),
        R"(["1","2","room:a","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(sent(Opcode::binary,
                   [&](auto& out) { return build_reply(v2, address, "ok", Opcode::binary, "", out); }),
              "\x01\x01\x01\x06\x02"s + "12room:aok");
    EXPECT_EQ(
        sent(Opcode::text,
             [&](auto& out) { return build_server_push(v2, address, "phx_close", Opcode::text, "", out); }),
        R"(["1","2","room:a","phx_close",{}])");
    EXPECT_EQ(sent(Opcode::binary,
                   [&](auto& out) { return build_server_push(v2, address, "e", Opcode::binary, "x", out); }),
              "\0\x01\x06\x01"s + "1room:aex");
    EXPECT_EQ(
        sent(Opcode::binary,
             [&](auto& out) { return build_server_push(v2, Address{"t"}, "e", Opcode::binary, "x", out); }),
        "\0\0\x01\x01"s + "tex");
    EXPECT_EQ(sent(Opcode::text,
                   [&](auto& out) { return build_server_broadcast(v2, "t", "e", Opcode::text, "1", out); }),
              R"([null,null,"t","e",1])");
    EXPECT_EQ(sent(Opcode::binary,
                   [&](auto& out) { return build_server_broadcast(v2, "t", "e", Opcode::binary, "x", out); }),
              "\x02\x01\x01"s + "tex");
    EXPECT_EQ(
        sent(Opcode::binary,
             [&](auto& out) { return build_user_broadcast(v2, "t", "e", "{}", Opcode::text, "1", out); }),
        "\x04\x01\x01\x02\x01"s + "te{}1");
}

TEST(Builders, FramesToAClientOfVersionOneHaveNoJoinRef) {
    const auto v1 = Vsn::v1;
    EXPECT_EQ(
        sent(Opcode::text,
             [&](auto& out) { return build_reply(v1, address, "error", Opcode::text, "[]", out); }),
        R"({"topic":"room:a","event":"phx_reply","ref":"2","payload":{"status":"error","response":[]}})");
    EXPECT_EQ(
        sent(Opcode::text,
             [&](auto& out) { return build_server_push(v1, address, "phx_error", Opcode::text, "{}", out); }),
        R"({"topic":"room:a","event":"phx_error","ref":"2","payload":{}})");
    EXPECT_EQ(sent(Opcode::text,
                   [&](auto& out) { return build_server_broadcast(v1, "t", "e", Opcode::text, "1", out); }),
              R"({"topic":"t","event":"e","ref":null,"payload":1})");
    EXPECT_EQ(
        sent(Opcode::text,
             [&](auto& out) { return build_user_broadcast(v1, "t", "e", "", Opcode::text, "1", out); }),
        R"({"topic":"t","event":"broadcast","ref":null,"payload":{"type":"broadcast","event":"e","payload":1}})");
    std::string out;
    EXPECT_EQ(build_reply(v1, address, "ok", Opcode::binary, "x", out).error().code, Errc::invalid_payload);
    EXPECT_EQ(build_server_broadcast(v1, "t", "e", Opcode::binary, "x", out).error().code,
              Errc::invalid_payload);
    EXPECT_EQ(build_user_broadcast(v1, "t", "e", "", Opcode::binary, "x", out).error().code,
              Errc::invalid_payload);
    EXPECT_EQ(out, "");
}

TEST(RefCounter, RisesFromOneAsDecimalStrings) {
    RefCounter refs;
    EXPECT_EQ(refs.next_string(), "1");
    EXPECT_EQ(refs.next(), 2u);
    EXPECT_EQ(refs.next_string(), "3");
}

} // namespace
} // namespace phx::protocol
