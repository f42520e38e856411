#include "phx/protocol/builders.hpp"
#include "protocol/client/client_state.hpp"
#include "protocol/client/ref_token.hpp"
#include "protocol/client/text.hpp"

#include <utility>

namespace phx::protocol {
namespace {

bool can_push(const ChannelMachine& channel) noexcept {
    return channel.state() != ChannelState::closed && channel.state() != ChannelState::leaving;
}

} // namespace

PushId ClientMachine::State::push(TimePoint now, ChannelMachine& channel, const PushContent& content,
                                  Expects expects, Duration timeout) {
    if (!can_push(channel)) return fail_now(make_error(Errc::not_joined, "the channel is not joined"));
    if (is_full()) return fail_now(make_error(Errc::buffer_full, "too many pushes are waiting"));
    if (const auto fit = check(channel, content); !fit) return fail_now(fit.error());
    if (channel.state() == ChannelState::joined) {
        const std::uint64_t ref = refs.next();
        if (const auto sent = send_push(channel, ref, content); !sent) return fail_now(sent.error());
        if (expects == Expects::nothing) return finish_now(done());
        const PushId id = pushes.add(PushKind::push, channel.id(), channel.pushes, deadline_of(now, timeout));
        pushes.mark_sent(id, ref, now);
        return id;
    }
    const PushKind kind = expects == Expects::reply ? PushKind::push : PushKind::tell;
    const auto id = buffer(now, channel, kind, content, timeout);
    return id ? *id : fail_now(id.error());
}

/// A ref is sent all the same, as phoenix.js does: a server that replies to a push without one crashes its
/// channel.
Result<void> ClientMachine::State::send(TimePoint now, ChannelMachine& channel, const PushContent& content) {
    if (!can_push(channel)) return phx::fail(Errc::not_joined, "the channel is not joined");
    if (auto fit = check(channel, content); !fit) return fit;
    if (channel.state() == ChannelState::joined) return send_push(channel, refs.next(), content);
    if (is_full()) return phx::fail(Errc::buffer_full, "too many pushes are waiting");
    const auto id = buffer(now, channel, PushKind::send, content, config.timeout);
    if (!id) return Failure{id.error()};
    return {};
}

/// What sending would refuse is refused when pushing, also when the push is sent later.
Result<void> ClientMachine::State::check(const ChannelMachine& channel, const PushContent& content) {
    if (!is_valid_text(content.event) || (content.user_event && !is_valid_text(*content.user_event))) {
        return phx::fail(Errc::invalid_utf8, "the event is not UTF-8");
    }
    if (content.kind == Opcode::text && !content.payload.empty()) {
        if (auto valid = check_json(content.payload, config.limits.max_depth); !valid) return valid;
    }
    if (channel.state() == ChannelState::joined) return {}; // encoding it checks the rest
    const std::size_t begin = out.bytes().size();
    const RefToken ref(foreign_ref); // the longest there is
    PushContent small = content;
    small.payload = content.kind == Opcode::text ? "{}" : "";
    const auto trial = append_push({channel.topic(), ref.token(), ref.token()}, small);
    out.bytes().resize(begin);
    if (!trial) return Failure{trial.error()};
    return {};
}

Result<void> ClientMachine::State::send_push(const ChannelMachine& channel, std::uint64_t ref,
                                             const PushContent& content) {
    const std::size_t begin = out.bytes().size();
    const auto opcode =
        append_push({channel.topic(), RefToken(channel.join_ref()).token(), RefToken(ref).token()}, content);
    if (!opcode) return Failure{opcode.error()};
    out.add_send(conn_id(), *opcode, begin);
    return {};
}

Result<Opcode> ClientMachine::State::append_push(const Address& address, const PushContent& content) {
    if (!content.user_event) {
        return build_push(config.vsn, address, content.event, content.kind, content.payload, out.bytes());
    }
    return build_user_push(config.vsn, address, *content.user_event, {}, content.kind, content.payload,
                           out.bytes());
}

Result<PushId> ClientMachine::State::buffer(TimePoint now, ChannelMachine& channel, PushKind why,
                                            const PushContent& content, Duration timeout) {
    if (const auto room = make_room(channel, content.bytes()); !room) return Failure{room.error()};
    const PushId id = pushes.add(why, channel.id(), channel.pushes, deadline_of(now, timeout));
    channel.waiting.add({id, content});
    return id;
}

Result<void> ClientMachine::State::make_room(ChannelMachine& channel, std::size_t bytes) {
    SendBuffer& waiting = channel.waiting;
    if (waiting.fits(bytes)) return {};
    if (channel.overflow() == Overflow::reject_newest || !waiting.could_fit(bytes)) {
        return phx::fail(Errc::buffer_full, "too much waits for the join of this channel");
    }
    const Error dropped =
        make_error(Errc::buffer_full, "newer pushes took its place before the channel was joined");
    while (!waiting.fits(bytes)) fail(waiting.take_front().id, dropped);
    return {};
}

/// What waited for the join goes out in its order. Unlike phoenix.js it keeps its deadline: one push, one
/// timeout.
void ClientMachine::State::flush(TimePoint now, ChannelMachine& channel) {
    while (!channel.waiting.empty()) {
        const BufferedPush push = channel.waiting.take_front();
        const PushRecord record = *pushes.find(push.id);
        if (record.deadline <= now) {
            fail(push.id, make_error(Errc::timeout, "the channel was not joined in time"));
            continue;
        }
        const std::uint64_t ref = refs.next();
        const auto sent = send_push(channel, ref, push.content());
        if (record.kind != PushKind::push || !sent) {
            finish(push.id, sent ? done() : failed(sent.error()));
        } else {
            pushes.mark_sent(push.id, ref, now);
        }
    }
}

PushId ClientMachine::State::ping(TimePoint now, Duration timeout) {
    if (!is_open()) return fail_now(make_error(Errc::disconnected, "there is no connection to ping over"));
    if (is_full()) return fail_now(make_error(Errc::buffer_full, "too many pushes are waiting"));
    const std::uint64_t ref = send_heartbeat();
    const PushId id = pushes.add(PushKind::ping, ChannelId{}, pings, deadline_of(now, timeout));
    pushes.mark_sent(id, ref, now);
    return id;
}

std::uint64_t ClientMachine::State::send_heartbeat() {
    const std::uint64_t ref = refs.next();
    const std::size_t begin = out.bytes().size();
    build_heartbeat(config.vsn, RefToken(ref).token(), out.bytes());
    out.add_send(conn_id(), Opcode::text, begin);
    return ref;
}

void ClientMachine::State::cancel(PushId id) {
    const PushRecord* record = pushes.find(id);
    if (record == nullptr) return;
    const bool ours = record->kind == PushKind::join_attempt || record->kind == PushKind::leave_attempt;
    if (!ours) fail(id, make_error(Errc::cancelled, "cancelled by this program"));
}

// ---- the end of a push; nothing else puts out PushFinished

PushId ClientMachine::State::finish_now(PushOutcome outcome) {
    const PushId id = pushes.next_id();
    out.add(event::PushFinished{id, std::move(outcome)});
    return id;
}

PushId ClientMachine::State::fail_now(Error error) { return finish_now(failed(std::move(error))); }

void ClientMachine::State::finish(PushId id, PushOutcome outcome) {
    const PushRecord record = pushes.take(id);
    const bool is_of_user =
        record.kind == PushKind::push || record.kind == PushKind::tell || record.kind == PushKind::send;
    const bool buffered = record.ref == 0 && is_of_user;
    if (buffered) find(record.channel)->waiting.remove(id);
    if (record.kind != PushKind::send) {
        out.add(event::PushFinished{id, std::move(outcome)});
    } else if (outcome.error) {
        outcome.error->origin = Origin::local; // a frame of ours, whoever is the reason
        out.add(event::FrameDropped{*std::move(outcome.error)});
    }
}

void ClientMachine::State::fail(PushId id, const Error& error) { finish(id, failed(error)); }

void ClientMachine::State::finish_all(const PushList& list, Which which, const PushOutcome& outcome) {
    const auto chosen = [which](const PushRecord& r) {
        switch (which) {
        case Which::sent_pushes: return r.kind == PushKind::push && r.ref != 0;
        case Which::joins: return r.kind == PushKind::join;
        case Which::leaves: return r.kind == PushKind::leave;
        default: return true; // all
        }
    };
    for (const PushRecord* r = pushes.first(list); r != nullptr;) {
        const PushRecord* next = pushes.following(*r);
        if (chosen(*r)) finish(r->id, outcome);
        r = next;
    }
}

/// Nobody can answer any more what was sent over this connection to this instance of the channel.
void ClientMachine::State::fail_in_flight(ChannelMachine& channel, const Error& why) {
    if (config.in_flight == InFlight::fail) finish_all(channel.pushes, Which::sent_pushes, failed(why));
}

void ClientMachine::State::handle_push_timeouts(TimePoint now) {
    while (const auto id = pushes.expired(now)) {
        const PushRecord record = *pushes.find(*id);
        const Error timeout = make_error(Errc::timeout, "no answer in time", Origin::peer);
        if (record.kind == PushKind::join_attempt) {
            handle_join_timeout(now, *find(record.channel));
        } else if (record.kind == PushKind::leave_attempt) {
            complete_leave(now, *find(record.channel), failed(timeout));
        } else {
            fail(*id, timeout);
        }
    }
}

} // namespace phx::protocol
