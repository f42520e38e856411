#include "tests/realtime/recorded_connection.hpp"

// What raw clients recorded of the real server, played against a RealtimeClient in their place. Each frame is
// compared there; here stands what came of it all, which is what the notes say.
namespace phx::test {
namespace {

using realtime::Reason;
using Statuses = std::vector<std::string>;

const std::string subscribed = in_words(SubscribeStatus::subscribed);
const std::string closed = in_words(SubscribeStatus::closed);
const Statuses lost = {subscribed, in_words(SubscribeStatus::channel_error, Errc::disconnected)};
const Statuses left_alone = {subscribed, in_words(SubscribeStatus::channel_error, Errc::socket_closed)};
std::string error(std::error_code code) { return in_words(SubscribeStatus::channel_error, code); }
/// Nothing but `subscribe()` or another token helps.
Statuses given_up(Reason reason) { return {error(reason), in_words(SubscribeStatus::closed, reason)}; }
Statuses operator+(Statuses a, const Statuses& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST(SupabaseRecordings, JoinsAndLeavesOverVersion1) {
    const Outcome outcome = play_recording("01_v1_connect_join_leave.jsonl");
    EXPECT_EQ(outcome.counts,
              (Counts{{"connections", 3}, {"SUBSCRIBED", 2}, {"joined twice", 1}, {"system", 1}}));
    EXPECT_EQ(outcome.statuses.at("a realtime:room1"), (Statuses{subscribed, closed}));
    EXPECT_EQ(outcome.statuses.at("a realtime:public:test_tenant"), left_alone);
}

TEST(SupabaseRecordings, JoinsAndLeavesOverVersion2) {
    const Outcome outcome = play_recording("02_v2_connect_join_leave.jsonl");
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 1}, {"SUBSCRIBED", 1}, {"joined twice", 1}}));
    EXPECT_EQ(outcome.statuses.at("a realtime:room1"), (Statuses{subscribed, closed}));
}

TEST(SupabaseRecordings, EachRefusalOfAJoinHasItsReason) {
    const Outcome outcome = play_recording("04_join_errors.jsonl");
    const auto& of = outcome.statuses;
    EXPECT_EQ(of.at("j0 realtime:x"), given_up(Reason::token_expired));
    EXPECT_EQ(of.at("j1 realtime:x"), given_up(Reason::malformed_jwt));
    EXPECT_EQ(of.at("j2 realtime:x"), given_up(Reason::jwt_signature_error));
    EXPECT_EQ(of.at("j3 realtime:x"), given_up(Reason::invalid_jwt_token));
    EXPECT_EQ(of.at("j5 realtime:room:1"), given_up(Reason::unauthorized));
    EXPECT_EQ(of.at("j6 realtime:other:1"), given_up(Reason::unauthorized));
    EXPECT_EQ(of.at("j8 realtime:room:1"), given_up(Reason::unauthorized));
    EXPECT_EQ(of.at("j9 realtime:y"), given_up(Reason::unable_to_replay_messages));
    // Params of a replay that ours never sends: as far as it knows it asked for none, and tries again.
    for (const char* bad : {"j10 realtime:room:2", "j11 realtime:room:3"})
        EXPECT_EQ(of.at(bad), Statuses{error(Reason::unable_to_replay_messages)});
    for (const char* fine : {"j4 realtime:x1", "j7 realtime:room:1", "j12 realtime:z", "j13 realtime:zz",
                             "j14 realtime:pc", "j15 realtime:ut", "j16 realtime:atn", "j17 realtime:cn"})
        EXPECT_EQ(of.at(fine), left_alone) << fine;
    EXPECT_EQ(outcome.counts,
              (Counts{{"connections", 18}, {"SUBSCRIBED", 8}, {"CHANNEL_ERROR", 10}, {"system", 1}}));
}

TEST(SupabaseRecordings, BroadcastsOfEveryKind) {
    const Outcome outcome = play_recording("05_broadcast.jsonl");
    // No frames: what the real server makes of payloads that are no JSON. Kind 2 says no event.
    // One was asked for with JSON that is none: ours does not send that.
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 4},
                                      {"SUBSCRIBED", 4},
                                      {"broadcast", 55},
                                      {"reply", 10},
                                      {"bad: malformed frame", 6},
                                      {"bad: invalid payload", 2}}));
    for (const auto& [who, statuses] : outcome.statuses) EXPECT_EQ(statuses, left_alone) << who;
}

TEST(SupabaseRecordings, TokensThatEndAChannelSayWhy) {
    const Outcome outcome = play_recording("07_access_token.jsonl");
    const auto& of = outcome.statuses;
    const Statuses joined = {subscribed};
    EXPECT_EQ(of.at("v2_expired realtime:at3"), joined + given_up(Reason::token_expired));
    EXPECT_EQ(of.at("v1_bad signature realtime:at4"), joined + given_up(Reason::jwt_signature_error));
    EXPECT_EQ(of.at("v2_garbage realtime:at5"), joined + given_up(Reason::malformed_jwt));
    EXPECT_EQ(of.at("v1_no role realtime:at6"), joined + given_up(Reason::invalid_jwt_token));
    EXPECT_EQ(of.at("revoked realtime:room:9"), joined + given_up(Reason::unauthorized));
    for (const char* expired : {"exp_1.0.0 realtime:exp", "exp_2.0.0 realtime:exp"}) // and refused afterwards
        EXPECT_EQ(of.at(expired), joined + given_up(Reason::token_expired) + given_up(Reason::token_expired));
    for (const char* ignored :
         {"v1_valid new token realtime:at0", "v2_null realtime:at1", "v1_sb_ key realtime:at2",
          "v2_missing key realtime:at7", "v1_number realtime:at8"})
        EXPECT_EQ(of.at(ignored), lost) << ignored;
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 12},
                                      {"SUBSCRIBED", 12},
                                      {"CHANNEL_ERROR", 9},
                                      {"system", 7},
                                      {"close 1006", 11}}));
}

TEST(SupabaseRecordings, ChangesOfTheDatabaseReachTheirBindings) {
    const Outcome outcome = play_recording("08_postgres_changes.jsonl");
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 19},
                                      {"SUBSCRIBED", 19},
                                      {"postgres_changes", 50},
                                      {"postgres_changes that ours cannot say", 3},
                                      {"system", 18},
                                      {"close 1006", 19}}));
    for (const auto& [who, statuses] : outcome.statuses) EXPECT_EQ(statuses, lost) << who;
}

TEST(SupabaseRecordings, FiltersAndPrivileges) {
    const Outcome outcome = play_recording("19_pg_filters_and_privileges.jsonl");
    EXPECT_EQ(outcome.counts,
              (Counts{{"connections", 2}, {"SUBSCRIBED", 41}, {"postgres_changes", 154}, {"system", 41}}));
    for (const auto& [who, statuses] : outcome.statuses) EXPECT_EQ(statuses, Statuses{subscribed}) << who;
}

TEST(SupabaseRecordings, PrivateChannels) {
    const Outcome outcome = play_recording("09_private.jsonl");
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 7},
                                      {"SUBSCRIBED", 7},
                                      {"broadcast", 26},
                                      {"presence", 4},
                                      {"reply", 5},
                                      {"system", 1},
                                      {"close 1006", 7}}));
    for (const auto& [who, statuses] : outcome.statuses) EXPECT_EQ(statuses, lost) << who;
}

TEST(SupabaseRecordings, TooManyMessagesAndJoins) {
    const Outcome outcome = play_recording("11_limits_events_joins_suspend.jsonl");
    const auto& of = outcome.statuses;
    const Statuses limited = {subscribed, error(Reason::message_rate_limit)}; // it is tried again
    EXPECT_EQ(of.at("ev_r realtime:ev"), limited);
    EXPECT_EQ(of.at("ev_s realtime:ev"), limited + limited);
    EXPECT_EQ(of.at("jo realtime:jo24"), (Statuses{subscribed, error(Errc::server_closed)}));
    EXPECT_EQ(of.at("jo realtime:jo25"), Statuses{error(Reason::client_join_rate_limit_reached)});
    EXPECT_EQ(of.at("jo realtime:jo26"), Statuses{error(Errc::server_closed)}); // was not answered
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 5},
                                      {"SUBSCRIBED", 28},
                                      {"CHANNEL_ERROR", 4},
                                      {"broadcast", 169},
                                      {"system", 3},
                                      {"close 1001", 1},
                                      {"close 1006", 1}}));
}

TEST(SupabaseRecordings, LimitsOfPayloadsPresenceChannelsAndUsers) {
    const Outcome outcome = play_recording("11a_limits.jsonl");
    const auto& of = outcome.statuses;
    EXPECT_EQ(of.at("pl_ack realtime:pl"), Statuses{subscribed} + given_up(Reason::track_too_large));
    EXPECT_EQ(of.at("pps realtime:pps"), (Statuses{subscribed, error(Reason::presence_rate_limit)}));
    EXPECT_EQ(of.at("ch realtime:ch2"), given_up(Reason::channel_rate_limit_reached));
    EXPECT_EQ(of.at("ch realtime:ch0"), (Statuses{subscribed, closed}));
    EXPECT_EQ(of.at("ch realtime:ch9"), left_alone);
    EXPECT_EQ(of.at("po realtime:po"), given_up(Reason::private_only));
    EXPECT_EQ(of.at("u2 realtime:u"), Statuses{error(Reason::connection_rate_limit_reached)});
    EXPECT_EQ(of.at("bigframe realtime:bf"), lost);
    EXPECT_EQ(of.at("frag realtime:bf2"), (Statuses{subscribed, error(Errc::server_closed)}));
    EXPECT_EQ(outcome.counts, (Counts{{"connections", 11},
                                      {"SUBSCRIBED", 11},
                                      {"CHANNEL_ERROR", 5},
                                      {"broadcast", 2},
                                      {"presence", 26},
                                      {"reply", 28},
                                      {"system", 2},
                                      {"close 1006", 1},
                                      {"close 1009", 1}}));
}

TEST(SupabaseRecordings, AnIdleSocketIsClosedWith1000) {
    const Outcome outcome = play_recording("13_idle_timeout.jsonl");
    for (const auto& [who, statuses] : outcome.statuses)
        EXPECT_EQ(statuses, (Statuses{subscribed, error(Errc::server_closed)})) << who;
    EXPECT_EQ(outcome.counts,
              (Counts{{"connections", 4}, {"SUBSCRIBED", 2}, {"broadcast", 3}, {"close 1000", 3}}));
}

/// What recordings 11a and 09, and the notes, have as answers to pushes.
TEST(SupabaseRecordings, ARefusedPushHasItsReason) {
    Replayed replayed(Vsn::v2, {});
    RealtimeChannelOptions options;
    options.broadcast_ack = true;
    const RealtimeChannel channel = replayed.client->channel("pl", std::move(options));
    channel.subscribe().then([](const Result<Reply>&) {});
    auto answer = [&](const std::string& payload) {
        const auto frame = replayed.next_sent(1s);
        if (!frame) throw std::logic_error("nothing to answer");
        replayed.map_refs(*frame, *frame);
        replayed.feed(Opcode::text, "[" + frame->join_ref + "," + frame->ref +
                                        R"(,"realtime:pl","phx_reply",)" + payload + "]");
    };
    answer(R"({"status":"ok","response":{"postgres_changes":[]}})");
    const Push large = channel.send("e");
    answer(R"({"status":"error","response":"payload_size_exceeded"})");
    const Error too_large = large.wait().error();
    EXPECT_EQ(too_large.code, Reason::payload_size_exceeded);
    EXPECT_EQ(too_large.message, "payload_size_exceeded");
    EXPECT_EQ(too_large.detail->status, "error");
    const Push scalar = channel.track(5);
    answer(R"({"status":"error","response":{"reason":"Presence track payload must be a map"}})");
    EXPECT_EQ(scalar.wait().error().code, Reason::track_payload_not_a_map);
    const Push untracked = channel.untrack();
    answer(R"({"status":"error","response":{"reason":"unmatched topic"}})");
    EXPECT_EQ(untracked.wait().error().code, Reason::unmatched_topic);
    const Push not_allowed = channel.track({{"a", 1}});
    answer(R"({"status":"error","response":{}})");
    EXPECT_EQ(not_allowed.wait().error().code, Errc::rejected); // the server does not say why
}

} // namespace
} // namespace phx::test
