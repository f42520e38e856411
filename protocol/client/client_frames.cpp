#include "protocol/client/client_state.hpp"
#include "protocol/client/ref_token.hpp"

#include <utility>

namespace phx::protocol {
namespace {

Error with_reply(Errc code, std::string message, std::string_view status, std::string_view reply) {
    Error error = make_error(code, std::move(message), Origin::peer);
    auto detail = std::make_shared<ErrorDetail>();
    detail->status = status;
    detail->reply = reply;
    error.detail = std::move(detail);
    return error;
}

PushOutcome outcome_of(const FrameView& reply, Duration elapsed) {
    PushOutcome outcome;
    outcome.status = reply.status.value_or(std::string_view());
    outcome.kind = reply.kind;
    outcome.response = reply.payload;
    outcome.elapsed = elapsed;
    if (!reply.status) {
        outcome.error = with_reply(Errc::malformed_frame, "the reply has no status", {}, reply.payload);
    } else if (outcome.status != "ok") {
        outcome.error =
            with_reply(Errc::rejected, "the server refused the push", outcome.status, outcome.response);
    }
    return outcome;
}

} // namespace

void ClientMachine::State::handle_frame(TimePoint now, Opcode opcode, std::string_view data) {
    const auto frame = decode(config.vsn, Direction::to_client, opcode, data, scratch, config.limits);
    if (!frame) return out.add(event::FrameDropped{frame.error()});
    const EventKind kind = event_kind(*frame);
    switch (kind) {
    case EventKind::phx_reply:
    case EventKind::heartbeat_reply: return handle_reply(now, *frame, kind);
    case EventKind::phx_close:
    case EventKind::phx_error: return handle_end(now, *frame, kind);
    default: return handle_message(*frame, kind);
    }
}

void ClientMachine::State::handle_reply(TimePoint now, const FrameView& frame, EventKind kind) {
    const std::uint64_t ref = parse_ref(frame.ref);
    if (const auto round_trip = heartbeat.handle_reply(now, ref))
        return out.add(event::HeartbeatChanged{HeartbeatStatus::ok, *round_trip});
    const PushRecord* found = pushes.find_ref(ref);
    if (found == nullptr) return out.add(event::Unclaimed{frame, kind});
    const PushRecord record = *found;
    const PushOutcome outcome = outcome_of(frame, now - record.sent_at);
    if (record.kind == PushKind::ping) return finish(record.id, outcome);
    ChannelMachine& channel = *find(record.channel);
    if (frame.topic_token || frame.topic != channel.topic() ||
        !channel.is_current(parse_ref(frame.join_ref))) {
        return out.add(event::Unclaimed{frame, kind});
    }
    switch (record.kind) {
    case PushKind::join_attempt: return handle_join_reply(now, channel, outcome);
    case PushKind::leave_attempt: return complete_leave(now, channel, outcome);
    default: return finish(record.id, outcome); // push: nothing else has a ref
    }
}

void ClientMachine::State::handle_join_reply(TimePoint now, ChannelMachine& channel, PushOutcome reply) {
    if (!reply.error) return handle_join_ok(now, channel, reply);
    reply.error->code = Errc::join_refused;
    reply.error->message = "the server refused the join";
    const Error why = *reply.error;
    fail_join(now, channel, why, reply);
}

void ClientMachine::State::handle_end(TimePoint now, const FrameView& frame, EventKind kind) {
    ChannelMachine* channel = frame.topic_token ? nullptr : find(frame.topic);
    // Over v1 the server sends no join_ref; there and over v2 the ref of these two is the join's.
    std::uint64_t join_ref = parse_ref(frame.join_ref);
    if (join_ref == 0) join_ref = parse_ref(frame.ref);
    // Without a join at the server there is nothing that could end (phoenix.js: no redundant errors during
    // backoff).
    if (channel == nullptr || channel->join_ref() == 0 || !channel->is_current(join_ref)) {
        return out.add(event::Unclaimed{frame, kind});
    }
    // It ended before the reply to phx_leave came, or instead of it.
    if (channel->state() == ChannelState::leaving) return complete_leave(now, *channel, done());
    const bool closed = kind == EventKind::phx_close;
    const Error why = with_reply(
        Errc::channel_closed, closed ? "the server closed the channel" : "the channel crashed at the server",
        {}, frame.payload);
    if (closed && channel->after_close() == AfterClose::stay_closed) {
        return close_channel(now, *channel, ChannelMachine::Gap::keep, failed(why), why, why);
    }
    if (channel->state() == ChannelState::joining) return fail_join(now, *channel, why, failed(why));
    const ChannelState from = channel->state();
    channel->handle_error(now);
    change_channel(*channel, from, why);
    fail_in_flight(*channel, why);
    schedule_rejoin(now, *channel, why);
}

void ClientMachine::State::handle_message(const FrameView& frame, EventKind kind) {
    const ChannelMachine* channel = frame.topic_token ? nullptr : find(frame.topic);
    // phoenix.js: who leaves hears nothing any more. A rejoin can hear broadcasts before its own reply.
    // An event that is no string is not the event "".
    const bool member = channel != nullptr && !frame.event_token && channel->join_ref() != 0 &&
                        channel->state() != ChannelState::leaving &&
                        channel->is_current(parse_ref(frame.join_ref));
    if (!member) return out.add(event::Unclaimed{frame, kind});
    out.add(event::MessageArrived{channel->id(), frame, kind});
}

} // namespace phx::protocol
