#include "protocol/server/machine_state.hpp"

#include <memory>
#include <utility>

// Channels whose first message is judged: until then they are in no topic, and nothing else is accepted.
namespace phx::protocol::server {

ChannelTraits ServerMachine::State::traits(const Membership& member) const {
    return member.realtime || member.is_inbox ? ChannelTraits{}
                                              : patterns[static_cast<std::size_t>(member.pattern)].traits;
}

void ServerMachine::State::take_verdict(TimePoint now, Membership& member, ReplyTo message,
                                        const phx::server::JoinAnswer& answer) {
    Session& session = *sessions.find(member.session);
    const std::unique_ptr<phx::server::Actions> then = std::exchange(member.then, nullptr);
    const bool is_accepted = answer.verdict == phx::server::JoinAnswer::Verdict::accept;
    if (act_reply(session, member, message, is_accepted ? "ok" : "error", answer.response) == Verdict::ended)
        return;
    if (!is_accepted) {
        end_frame(session, topic_name(member), JsonToken{member.join_ref}, "phx_close", "{}");
        return end(member, EndReason::stopped);
    }
    enter_topic(session, member);
    act_all(now, member, ReplyTo{}, *then);
    if (member.phase == MemberPhase::joined) act_all(now, member, ReplyTo{}, answer.then);
}

} // namespace phx::protocol::server
