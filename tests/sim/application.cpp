#include "tests/sim/application.hpp"

#include <chrono>
#include <utility>
#include <variant>

namespace phx::sim {

using namespace std::chrono_literals;
using namespace protocol::server;
using phx::server::Actions;
using phx::server::JoinAnswer;
using phx::server::Payload;
using phx::server::ReplyTo;

namespace {

std::string field(std::string_view key, std::uint64_t value) {
    return "\"" + std::string(key) + "\":" + std::to_string(value);
}

} // namespace

std::string request_of(protocol::Vsn vsn, std::size_t user) {
    return (vsn == protocol::Vsn::v1 ? "v1 " : "v2 ") + std::to_string(user);
}

SessionConfig ChatApplication::session(const std::string& request) {
    SessionConfig config;
    config.vsn = request.starts_with("v1") ? protocol::Vsn::v1 : protocol::Vsn::v2;
    config.record.socket_id = "user:" + request.substr(3);
    return config;
}

void ChatApplication::set_up(ServerMachine& machine) {
    oracle_.restarted();
    streams_.clear();
    machine.add_channel("*", {"filtered"});
}

ChatApplication::Stream& ChatApplication::stream(const std::string& topic) {
    const auto [at, is_new] = streams_.try_emplace(topic, Stream{last_stream_ + 1});
    if (is_new) ++last_stream_;
    return at->second;
}

std::string ChatApplication::next(const std::string& topic, const std::string& name) {
    Stream& s = stream(topic);
    return "{" + field("stream", s.id) + "," + field("number", ++s.last[name]) + "}";
}

Position ChatApplication::position(const std::string& topic, const std::string& name) {
    Stream& s = stream(topic);
    return {s.id, s.last[name]};
}

void ChatApplication::handle_output(ServerNode& node, const Output& output) {
    if (const auto* send = std::get_if<act::Send>(&output)) {
        oracle_.sent(send->session, node.is_connected(send->session));
    } else if (const auto* fanout = std::get_if<act::Fanout>(&output)) {
        oracle_.fanned_out(*fanout);
    } else if (const auto* ended = std::get_if<event::Ended>(&output)) {
        const auto member = node.machine().member(ended->member);
        if (member) oracle_.ended(member->session, member->topic);
        if (!member) findings_.add("a member ended that cannot be looked up");
    }
}

std::optional<JoinAnswer> ChatApplication::join(const ServerNode::Member& member) {
    const std::string topic(member.topic);
    if (topic.starts_with("shut:")) return JoinAnswer::refuse(R"({"reason":"shut"})");
    if (topic.starts_with("door:") && !is_kind && chance_.one_in(3))
        return JoinAnswer::refuse(R"({"reason":"closed for now"})");
    if (topic.starts_with("trap:") && !is_kind && chance_.one_in(3)) return std::nullopt;
    JoinAnswer answer;
    if (topic.starts_with("late:") && !is_kind) answer.delay = chance_.between(0s, 15s);
    const bool is_late = answer.delay > 0s;
    answer.response = Payload(
        "{" + field("stream", stream(topic).id) + "," + field("news", stream(topic).last["news"]) + "," +
        field("filtered", stream(topic).last["filtered"]) + "," + field("late", is_late ? 1 : 0) + "}");
    if (chance_.one_in(8)) answer.then.track("somebody", "{}").presence_state();
    if (is_late) {
        answer.then.after(0s, "let in"); // it may yet end before
    } else {
        oracle_.accepted(member.session, topic);
    }
    return answer;
}

ChatApplication::Answer ChatApplication::message(const event::MessageIn& in, const ServerNode::Member& member,
                                                 LinkId from) {
    ++handled_;
    const std::string topic(member.topic);
    const std::uint64_t tag = number(in.payload.data, "tag").value_or(0);
    oracle_.handled(member.session, topic, tag);
    return react(in, topic,
                 "{" + field("tag", tag) + "," + field("link", static_cast<std::uint64_t>(from)) + "}");
}

ChatApplication::Answer ChatApplication::react(const event::MessageIn& in, const std::string& topic,
                                               const std::string& reply) {
    Actions actions;
    if (in.event == "echo") return actions.ok(reply);
    if (in.event == "publish") return actions.ok(reply).broadcast("news", Payload(next(topic, "news")));
    if (in.event == "filter")
        return actions.broadcast("filtered", Payload(next(topic, "filtered"))).ok(reply);
    if (in.event == "murmur") return actions.broadcast_from("murmur", Payload(reply)).ok(reply);
    if (in.event == "refuse") return actions.error(reply);
    if (in.event == "bytes") return actions.ok(Payload::binary(reply));
    if (in.event == "twice") return actions.ok(reply).ok(R"({"tag":0})").reply_to(in.reply_to, "error");
    if (in.event == "whisper") return actions.push("whisper", Payload(reply)).ok(reply);
    if (in.event == "slow") {
        return actions.after(chance_.between(0s, 15s), std::to_string(in.reply_to.id) + " " + reply);
    }
    if (in.event == "track") return actions.track("key", reply).ok(reply);
    if (in.event == "untrack") return actions.untrack("key").ok(reply);
    if (in.event == "stop") return actions.stop();
    if (in.event == "close") return actions.close_connection(4000, "go away");
    if (in.event == "crash") return std::nullopt;
    return actions; // "never", and what no reply is expected to
}

ChatApplication::Answer ChatApplication::message_out(const event::MessageOut& out) {
    if (!is_kind && chance_.one_in(50)) return std::nullopt;
    Actions actions;
    return actions.push(out.event, Payload(out.payload));
}

ChatApplication::Answer ChatApplication::info(const event::InfoDue& due, const ServerNode::Member& member) {
    Actions actions;
    if (due.info == "let in") {
        oracle_.accepted(member.session, member.topic);
        return actions;
    }
    const std::size_t space = due.info.find(' ');
    return actions.reply_to(ReplyTo{std::stoull(due.info)}, "ok", Payload(due.info.substr(space + 1)));
}

} // namespace phx::sim
