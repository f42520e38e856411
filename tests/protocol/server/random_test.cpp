#include "tests/support/server_app.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using protocol::Opcode;
using protocol::Vsn;
using server::Dialect;

/// Random peers against a random application, answering late and out of order. What must always hold is
/// checked at each output and after each call.
class Storm {
public:
    explicit Storm(std::uint64_t seed) : random_(seed), machine_(config(seed)) {
        machine_.add_channel("room:*", {"intercepted"});
        machine_.add_channel("realtime:mine");
    }

    void run(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
            step();
            drain();
            check();
        }
        while (!open_.empty()) close(open_.begin()->first);
        now_ += std::chrono::hours(1);
        machine_.handle_timeout(now_);
        drain();
        EXPECT_EQ(machine_.sessions(), 0u);
        EXPECT_EQ(machine_.members(), 0u);
        EXPECT_EQ(machine_.topics(), 0u);
        EXPECT_FALSE(machine_.next_timeout().has_value());
        EXPECT_TRUE(joined_.empty());
        EXPECT_TRUE(requests_.empty()); // each has finished once
    }

private:
    struct Peer {
        Vsn vsn;
        bool closing = false;
    };

    static server::ServerConfig config(std::uint64_t seed) {
        server::ServerConfig config;
        config.seed = seed;
        config.max_channels_per_session = 4;
        config.max_held_frames = 3;
        config.max_waiting_replies = 4;
        config.max_timers_per_channel = 4;
        config.max_requests_per_channel = 2;
        config.verifies_tokens = true;
        using phx::server::Policy;
        using phx::server::Requirement;
        config.policies = {Policy{.topic = "realtime:{sub}", .join = Requirement{}, .write = Requirement{}},
                           Policy{.topic = "realtime:*",
                                  .join = Requirement{.roles = {"member"}},
                                  .write = Requirement{.roles = {"member"}},
                                  .presence = Requirement{}}};
        config.history = {phx::server::History{}};
        config.rates = {.messages_per_connection = 20, .joins_per_connection = 20, .presence_calls = 5};
        return config;
    }

    unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }

    void step() {
        const unsigned what = pick(100);
        if (open_.empty() || what < 5) return open();
        if (what < 8) return close(any());
        if (what < 10) return machine_.broadcast(now_, topic(), pick(2) ? "intercepted" : "news", {});
        if (what == 10 && pick(2)) {
            EXPECT_TRUE(machine_.emit_change(now_, {.table = "t", .record = R"({"a":1})"}));
            return;
        }
        if (what < 11) return machine_.disconnect(now_, "user:" + std::to_string(pick(3)));
        if (what < 12) return send();
        if (what < 13) return request();
        if (what < 16 && !late_.empty()) return answer_late();
        if (what < 20) {
            now_ += std::chrono::milliseconds(pick(30'000));
            return machine_.handle_timeout(now_);
        }
        if (what == 20 && pick(20) == 0) return machine_.close_all(now_);
        const server::SessionId peer = any();
        frame_ = frame(open_.at(peer).vsn);
        machine_.handle_frame(now_, peer, pick(12) == 0 ? Opcode::binary : Opcode::text, frame_);
    }

    phx::server::Route route() {
        using phx::server::Route;
        const server::SessionId peer = any();
        switch (pick(5)) {
        case 0: return Route::all();
        case 1: return Route::user("ada");
        case 2: return Route::role("r" + std::to_string(pick(2)));
        case 3: return Route::connection(machine_.connection(peer)->id);
        default: return Route::topic(topic());
        }
    }
    void send() {
        const auto payload = pick(2) ? phx::server::Payload() : phx::server::Payload::binary("x");
        const std::size_t count = machine_.send(now_, route(), "news", payload);
        EXPECT_LE(count, machine_.members());
    }
    void request() {
        const auto asked = machine_.request(now_, machine_.connection(any())->id, topic(), "m", {},
                                            std::chrono::milliseconds(pick(5000)));
        if (asked) {
            EXPECT_TRUE(requests_.insert(*asked).second);
        }
    }

    void open() {
        server::SessionConfig config;
        config.vsn = pick(2) ? Vsn::v1 : Vsn::v2;
        config.dialect = pick(2) ? Dialect::phoenix : Dialect::supabase;
        static_cast<phx::server::Identity&>(config.record) = who();
        if (pick(3) == 0) config.token_expires_at = now_ + std::chrono::milliseconds(pick(60'000));
        if (pick(2)) config.record.socket_id = "user:" + std::to_string(pick(3));
        if (pick(2)) config.record.user_id = "ada";
        for (unsigned i = pick(3); i > 0; --i) config.record.roles.push_back("r" + std::to_string(pick(2)));
        open_[machine_.handle_open(now_, config)] = Peer{config.vsn};
    }

    void close(server::SessionId peer) {
        open_.at(peer).closing = true; // nothing may be sent from now on
        machine_.handle_closed(now_, peer);
        drain();
        open_.erase(peer);
    }

    server::SessionId any() {
        return std::next(open_.begin(), pick(static_cast<unsigned>(open_.size())))->first;
    }
    std::string topic() {
        static const char* const names[] = {"room:a",        "room:b", "realtime:a", "realtime:b",
                                            "realtime:mine", "nope",   "phoenix",    "realtime:$inbox"};
        return names[pick(8)];
    }

    std::string frame(Vsn vsn) {
        static const char* const events[] = {
            "phx_join", "phx_join", "phx_leave",   "broadcast", "presence",  "echo",        "slow",
            "stop",     "crash",    "intercepted", "phx_error", "heartbeat", "access_token"};
        if (pick(20) == 0) return response(vsn);
        static const char* const payloads[] = {
            "{}",
            "null",
            R"({"event":"track","payload":{"a":1}})",
            R"({"event":"untrack"})",
            R"({"config":{"presence":{"enabled":true},"broadcast":{"self":true,"ack":true}}})",
            R"({"config":{"private":true,"broadcast":{"ack":true,"replay":{"since":0}}},"access_token":"t"})",
            R"({"config":{"private":true,"presence":{"enabled":true}},"access_token":"sb_x"})",
            R"({"access_token":"t"})",
            R"({"config":{"postgres_changes":[{"event":"*","table":"t"},{"table":"t","select":["a"]}]}})"};
        static const char* const refs[] = {"null", "\"1\"", "\"2\"", "7"};
        if (pick(40) == 0) return "nonsense";
        if (pick(15) == 0) return from_hex("0301010a010001") + "12realtime:ae{}";
        const std::string name = topic(), event = events[pick(13)], payload = payloads[pick(9)],
                          ref = refs[pick(4)];
        const std::string join_ref = refs[pick(2)];
        if (vsn == Vsn::v2)
            return "[" + join_ref + "," + ref + ",\"" + name + "\",\"" + event + "\"," + payload + "]";
        return "{\"topic\":\"" + name + "\",\"event\":\"" + event + "\",\"payload\":" + payload +
               ",\"ref\":" + ref + "}";
    }

    std::string response(Vsn vsn) {
        const std::string id = std::to_string(
            pick(2) && !requests_.empty() ? static_cast<std::uint64_t>(*requests_.begin()) : pick(50));
        const std::string payload = "{\"id\":" + id + ",\"ok\":1}", name = topic();
        if (vsn == Vsn::v2) return "[null,null,\"" + name + "\",\"rpc:response\"," + payload + "]";
        return "{\"topic\":\"" + name + "\",\"event\":\"rpc:response\",\"payload\":" + payload +
               ",\"ref\":null}";
    }

    phx::server::Actions actions(server::ReplyTo to) {
        phx::server::Actions a;
        for (unsigned i = pick(4); i > 0; --i) {
            switch (pick(16)) {
            case 14: a.send(route(), "news"); break;
            case 15: a.request("tag", "m", {}, std::chrono::milliseconds(pick(5000))); break;
            case 0: a.ok(); break;
            case 1: a.reply_to(to, "ok"); break;
            case 2: a.push("pushed"); break;
            case 3: a.broadcast("new_msg"); break;
            case 4: a.broadcast_from("intercepted"); break;
            case 5: a.track("k" + std::to_string(pick(3)), "{\"n\":" + std::to_string(pick(2)) + "}"); break;
            case 6: a.untrack("k" + std::to_string(pick(3))); break;
            case 7: a.presence_state(); break;
            case 8: a.after(std::chrono::milliseconds(pick(5000)), "info"); break;
            case 9: a.broadcast("bytes", phx::server::Payload::binary("x")); break;
            case 10: a.state("s"); break;
            case 11: pick(4) ? a.stop() : a.stop(phx::server::StopReason::crash); break;
            case 12: pick(8) ? a.ok(phx::server::Payload::binary("x")) : a.close_connection(4000, "x"); break;
            default: pick(8) ? a.error() : a.disconnect("user:1"); break;
            }
        }
        return a;
    }

    void answer_late() {
        const auto [member, to] = late_.back();
        late_.pop_back();
        apply(member, to, actions(to));
    }

    /// What surely ends its channel, whatever comes before it.
    static bool ends(const phx::server::Actions& actions) {
        namespace action = phx::server::action;
        for (const phx::server::Action& one : actions.list)
            if (std::holds_alternative<action::Stop>(one) ||
                std::holds_alternative<action::CloseConnection>(one))
                return true;
        return false;
    }
    void apply(server::MemberId member, server::ReplyTo to, phx::server::Actions wanted) {
        if (ends(wanted)) gone_.insert(member);
        machine_.apply(now_, member, to, std::move(wanted));
    }
    void crash(server::MemberId member) {
        gone_.insert(member);
        machine_.crash(now_, member);
    }
    /// Its client is told that the channel has ended: no handler is asked after that. The phx_close of a
    /// membership that was replaced comes when the new one is there already.
    void note_end(const server::act::Send& send) {
        for (const auto& [member, of] : asked_) {
            const std::string topic = '"' + of.topic + '"';
            const auto tells = [&](const std::string& event) {
                return send.data.find(topic + ",\"" + event) != std::string_view::npos ||
                       send.data.find(topic + ",\"event\":\"" + event) != std::string_view::npos;
            };
            if (of.session != send.session || !(tells("phx_close") || tells("phx_error"))) continue;
            if (auto& replaced = replaced_[{of.session, of.topic}]; replaced > 0) {
                --replaced;
                return;
            }
            gone_.insert(member);
        }
    }

    void drain() {
        do {
            while (const auto output = machine_.poll())
                std::visit([this](const auto& o) { carry_out(o); }, *output);
        } while (machine_.handle_turn_end());
    }

    void expect_open(server::SessionId session) {
        const auto found = open_.find(session);
        ASSERT_NE(found, open_.end());
        EXPECT_FALSE(found->second.closing);
    }
    void expect_member(server::MemberId member) {
        EXPECT_EQ(joined_.count(member) + delayed_.count(member), 1u);
        EXPECT_EQ(gone_.count(member), 0u);
    }
    void carry_out(const server::act::Send& send) {
        expect_open(send.session);
        EXPECT_FALSE(send.data.empty());
        note_end(send);
    }
    void carry_out(const server::act::Fanout& fanout) {
        EXPECT_FALSE(fanout.sessions.empty());
        std::set<server::SessionId> once;
        for (const server::SessionId session : fanout.sessions) {
            expect_open(session);
            EXPECT_TRUE(once.insert(session).second);
            EXPECT_EQ(open_.at(session).vsn, open_.at(fanout.sessions.front()).vsn);
        }
    }
    void carry_out(const server::act::Close& close) {
        expect_open(close.session);
        open_.at(close.session).closing = true;
    }
    void carry_out(const server::act::CloseIfIdle& idle) {
        expect_open(idle.session);
        if (pick(2)) machine_.handle_activity(now_, idle.session);
    }
    void carry_out(const server::event::JoinAsked& join) {
        using phx::server::JoinAnswer;
        ASSERT_TRUE(machine_.member(join.member));
        EXPECT_EQ(machine_.member(join.member)->params, join.params.data);
        const auto member = *machine_.member(join.member);
        asked_[join.member] = {member.session, std::string(member.topic)};
        if (pick(10) == 0) return crash(join.member);
        JoinAnswer answer = pick(5) ? JoinAnswer::ok() : JoinAnswer::refuse("{}");
        if (pick(4) == 0) answer.delay = std::chrono::milliseconds(pick(10'000));
        answer.then = actions({});
        if (answer.verdict == JoinAnswer::Verdict::accept)
            (answer.delay.count() > 0 ? delayed_ : joined_).insert(join.member);
        if (answer.delay.count() == 0 && ends(answer.then)) gone_.insert(join.member);
        machine_.answer_join(now_, join.member, std::move(answer));
    }
    void carry_out(const server::event::MessageIn& in) {
        expect_member(in.member);
        EXPECT_NE(in.reply_to.id, 0u);
        if (pick(5) == 0) return late_.push_back({in.member, in.reply_to});
        if (pick(20) == 0) return crash(in.member);
        apply(in.member, in.reply_to, actions(in.reply_to));
    }
    void carry_out(const server::event::MessageOut& out) {
        expect_member(out.member);
        phx::server::Actions push;
        push.push(out.event, out.payload);
        if (pick(8) == 0) push.stop();
        apply(out.member, {}, std::move(push));
    }
    void carry_out(const server::event::InfoDue& due) {
        expect_member(due.member);
        apply(due.member, {}, actions({}));
    }
    void carry_out(const server::event::ResponseIn& response) {
        expect_member(response.member);
        EXPECT_EQ(response.tag, "tag");
        apply(response.member, {}, actions({}));
    }
    void carry_out(const server::event::RequestFinished& finished) {
        EXPECT_EQ(requests_.erase(finished.request), 1u);
    }
    void carry_out(const server::event::LateResponse& late) { expect_open(late.session); }
    void carry_out(const server::event::Ended& ended) {
        ASSERT_TRUE(machine_.member(ended.member));
        EXPECT_EQ(joined_.erase(ended.member) + delayed_.erase(ended.member), 1u); // once
        const Asked of = asked_.at(ended.member);
        asked_.erase(ended.member);
        if (ended.reason == server::EndReason::replaced) ++replaced_[{of.session, of.topic}];
    }
    void carry_out(const server::event::TokenAsked& asked) {
        EXPECT_EQ(asked.token, "t");
        if (pick(5) != 0) answer_token(asked.member);
        if (pick(5) == 0) answer_token(asked.member);
    }
    void answer_token(server::MemberId member) {
        server::TokenVerdict verdict{nullptr, {}, "InvalidJWTToken: no", "no"};
        if (pick(3) != 0) verdict.identity = std::make_shared<const phx::server::Identity>(who());
        if (pick(2)) verdict.expires_at = now_ + std::chrono::milliseconds(pick(20'000));
        machine_.answer_token(now_, member, std::move(verdict));
    }
    phx::server::Identity who() {
        phx::server::Identity identity;
        identity.user_id = pick(2) ? "a" : "b";
        if (pick(2)) identity.roles = {"member"};
        return identity;
    }
    void carry_out(const server::event::FrameDropped& dropped) {
        EXPECT_FALSE(dropped.error.message.empty());
    }
    void carry_out(const server::RareOutput& rare) {
        std::visit([this](const auto& output) { carry_out(output); }, rare);
    }
    template <class Other> void carry_out(const Other&) {
        ADD_FAILURE() << "only with peers, keys or effects";
    }

    void check() {
        EXPECT_EQ(machine_.sessions(), open_.size());
        EXPECT_LE(machine_.topics(), machine_.members());
        EXPECT_LE(machine_.members(), open_.size() * 4);
    }

    std::mt19937_64 random_;
    server::ServerMachine machine_;
    protocol::TimePoint now_{};
    std::map<server::SessionId, Peer> open_;
    std::set<server::MemberId> joined_; ///< accepted, and to end exactly once
    struct Asked {
        server::SessionId session;
        std::string topic;
    };
    std::map<server::MemberId, Asked> asked_; ///< of all that were asked and are not known to have ended
    std::map<std::pair<server::SessionId, std::string>, int> replaced_; ///< whose phx_close is still to come
    std::set<server::MemberId> gone_;    ///< have ended: no handler is asked about them any more
    std::set<server::MemberId> delayed_; ///< to be accepted later, unless they end before
    std::vector<std::pair<server::MemberId, server::ReplyTo>> late_;
    std::set<server::RequestId> requests_; ///< that have not finished
    std::string frame_;
};

TEST(ServerMachine, KeepsItsTablesConsistentUnderRandomOperations) {
    const char* const wanted = std::getenv("PHX_SEED");
    const std::uint64_t first = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
    const std::uint64_t last = wanted != nullptr ? first : 60;
    for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("PHX_SEED=" + std::to_string(seed));
        Storm(seed).run(1000);
    }
}

} // namespace
} // namespace phx::test
