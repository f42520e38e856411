#include "phx/protocol/codec.hpp"
#include "tests/sim/user.hpp"
#include "tests/support/client_driver.hpp"

#include <chrono>
#include <utility>
#include <variant>

/// What a user is told by the client, and what goes over the wire.
namespace phx::sim {

using namespace std::chrono_literals;
using namespace protocol;

namespace {

Target target_of(Vsn vsn, std::size_t number) { return {request_of(vsn, number), {}}; }

} // namespace

void User::handle_output(const Output& output) {
    if (!std::holds_alternative<event::Gap>(output)) delivery_.expect_no_gap_owed();
    std::visit([this](const auto& o) { note(o); }, output);
    if (!trace_.is_on) return;
    std::map<PushId, std::string> names;
    if (const auto* end = std::get_if<event::PushFinished>(&output))
        names[end->push] = "push " + std::to_string(static_cast<std::uint64_t>(end->push));
    say(std::visit(protocol::testing::OutputPrinter{names, topics_}, output));
}

void User::handle_received(ConnId conn, Opcode opcode, std::string_view bytes) {
    if (trace_.is_on) say("received " + protocol::testing::printable(bytes));
    const auto frame = decode(setup_.config.vsn, Direction::to_client, opcode, bytes, scratch_);
    if (!frame)
        return findings_.add("the server sent what is no frame: " + protocol::testing::printable(bytes));
    const WireOracle::Heard heard = wire_.received(conn, *frame);
    const bool is_current = heard == WireOracle::Heard::joined;
    if (heard == WireOracle::Heard::closed) policy_.closed_by_server(std::string(frame->topic));
    const auto stream = number(frame->payload, "stream");
    if (!stream || frame->event != "phx_reply" || !wire_.is_current(conn)) return;
    const std::string topic(frame->topic);
    const auto start =
        number(frame->payload, "late") == 1u ? DeliveryOracle::Start::at_least : DeliveryOracle::Start::exact;
    for (const char* name : {"news", "filtered"}) {
        const Position at{*stream, number(frame->payload, name).value_or(0)};
        is_current ? delivery_.joined(topic, name, at, start) : delivery_.joined_before(topic, name, at);
    }
}

void User::handle_rest() {
    delivery_.expect_no_gap_owed();
    if (std::exchange(has_ended_everything_, false)) pushes_.expect_none_outstanding();
    pushes_.rest();
    policy_.rest();
    // What is bounded: what waits, and what one call can put out.
    const std::size_t limit = setup_.config.max_waiting_pushes;
    if (pushes_.outstanding() > limit) findings_.add("more pushes wait than max_waiting_pushes");
    if (node_.most_outputs_at_once() > 2 * limit + 100)
        findings_.add("one call put out " + std::to_string(node_.most_outputs_at_once()) + " outputs");
}

// ---- questions

void User::note(const act::Prepare& question) {
    if (!is_kind_ && chance_.one_in(10)) return; // its connect timeout ends it
    const bool fails = !is_kind_ && chance_.one_in(10);
    clock_.after(is_kind_ ? 0s : chance_.between(0s, 3s), [this, conn = question.conn, fails] {
        Result<Target> answer = target_of(setup_.config.vsn, setup_.number);
        if (fails) answer = fail(Errc::bad_auth, "no token");
        node_.machine().handle_prepared(node_.now(), conn, std::move(answer));
        node_.pump();
    });
}

void User::note(const act::PrepareJoin& question) {
    const bool fails = !is_kind_ && chance_.one_in(10);
    clock_.after(is_kind_ ? 0s : chance_.between(0s, 20s), [this, id = question.channel, fails] {
        Result<std::string> answer = any_join_payload();
        if (fails) answer = fail(Errc::bad_auth, "no token");
        Channel* channel = find(id); // none if it was removed since
        if (channel != nullptr && answer) channel->join_payload = *answer;
        node_.machine().handle_join_payload(node_.now(), id, std::move(answer));
        node_.pump();
    });
}

// ---- orders

void User::note(const act::Open& order) {
    wire_.opening(order.conn);
    ++opens_;
}

void User::note(const act::Send& order) {
    const auto frame = decode(setup_.config.vsn, Direction::to_server, order.opcode, order.data, scratch_);
    if (!frame) return findings_.add("sent what is no frame: " + protocol::testing::printable(order.data));
    wire_.sent(order.conn, *frame);
    if (frame->event == "phx_join") {
        const Channel* channel = find(joining_[std::string(frame->topic)]);
        if (channel == nullptr || frame->payload != channel->join_payload)
            findings_.add("joins with another payload: " + std::string(frame->payload));
    }
    if (const auto tag = number(frame->payload, "tag")) pushes_.sent(*tag);
}

// ---- news

void User::note(const event::SocketChanged& change) {
    wire_.changed(change);
    if (change.to == SocketState::connecting && node_.now() < earliest_connect_)
        findings_.add("connects before Retry-After");
    if (change.to == SocketState::open) delivery_.connected();
    if (change.from == SocketState::open) pushes_.lose_connection();
    const bool has_to_wait = change.to == SocketState::waiting && change.why && change.why->retry_after;
    earliest_connect_ = has_to_wait ? node_.now() + *change.why->retry_after : TimePoint::min();
    if (!policy_.changed(change)) return;
    has_ended_everything_ = true;
    connect_later();
}

void User::note(const event::ChannelChanged& change) {
    const std::string& topic = topics_.at(change.channel);
    if (change.to == ChannelState::joining) joining_[topic] = change.channel;
    delivery_.changed(node_.now(), topic, change);
    pushes_.changed(change);
    if (policy_.changed(change)) join_later(change.channel);
}

void User::note(const event::MessageArrived& message) {
    wire_.delivered();
    ++messages_;
    const FrameView& frame = message.frame;
    if (frame.event == "whisper" && number(frame.payload, "link") != static_cast<std::uint64_t>(node_.link()))
        findings_.add("a whisper of another connection");
    const auto stream = number(frame.payload, "stream");
    const auto position = number(frame.payload, "number");
    if (!stream || !position) return;
    delivery_.message(topics_.at(message.channel), std::string(frame.event), {*stream, *position});
}

void User::note(const event::PushFinished& end) {
    pushes_.finished(node_.now(), end);
    const auto link = number(end.outcome.response, "link");
    if (link && *link != static_cast<std::uint64_t>(node_.link()))
        findings_.add("an answer of another connection");
}

void User::note(const event::FrameDropped& dropped) {
    if (dropped.error.origin != Origin::local) findings_.add("a frame was dropped: " + dropped.error.message);
}

void User::note(const event::Gap& gap) {
    delivery_.gap(node_.now(), gap);
    ++gaps_;
}

} // namespace phx::sim
