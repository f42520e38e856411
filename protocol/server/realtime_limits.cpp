#include "protocol/realtime/join_request.hpp"
#include "protocol/server/machine_state.hpp"

#include <chrono>

namespace phx::protocol::server {
namespace {

constexpr Duration second = std::chrono::seconds(1);

} // namespace

bool ServerMachine::State::may_join(Session& session, const FrameView& frame, bool built_in) {
    if (!session.rates || session.rates->joins.take(time, config.rates.joins_per_connection, second))
        return true;
    refuse(session, frame.join_ref.value_or(null_token), frame,
           built_in ? realtime::too_many_joins : "too many joins per second");
    close(session, 1001, {});
    return false;
}

bool ServerMachine::State::may_push(Session& session, Membership& member, const FrameView& frame) {
    const auto refuse_push = [&](std::string_view reason) {
        refuse(session, JsonToken{member.channel_ref}, frame, reason);
        return false;
    };
    if (session.rates && !session.rates->messages.take(time, config.rates.messages_per_connection, second)) {
        if (!member.realtime) return refuse_push("rate limited");
        end_with_system(session, member, "Too many messages per second");
        return false;
    }
    // The built-in channel keeps silent about what may not be written.
    return member.realtime || member.rights.write || refuse_push("unauthorized");
}

bool ServerMachine::State::may_call_presence(Session& session, Membership& member) {
    const phx::server::Rates& rates = config.rates;
    if (!member.realtime->presence_rate.take(time, rates.presence_calls, rates.presence_window)) {
        end_with_system(session, member, "Client presence rate limit exceeded");
        return false;
    }
    if (!topics[member.topic].presence_rate.take(time, rates.presence_per_topic, second)) {
        end_with_system(session, member, "Too many presence messages per second");
        return false;
    }
    return true;
}

} // namespace phx::protocol::server
