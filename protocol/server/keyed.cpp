#include "protocol/server/machine_state.hpp"

#include <utility>

// Channels with a broker key: their handlers run inside a compare-and-swap of what they share, which takes
// its time. nothing -> question -> nothing; when the channel has ended: nothing -> end -> nothing. Invariant:
// while an answer is awaited the membership can be looked up, and nothing else is asked.
namespace phx::protocol::server {

bool ServerMachine::State::note_join_answer(Membership& member, bool is_accepted) {
    member.keyed->asked = KeyedMember::Asked::nothing;
    member.keyed->was_accepted = is_accepted;
    if (member.phase != MemberPhase::ended) return true;
    // What the join stored stays: on_close must take it back.
    if (is_accepted) push_ended(member, EndReason::disconnected);
    return false;
}

bool ServerMachine::State::must_wait(const Membership& member) const noexcept {
    return member.keyed && member.keyed->asked != KeyedMember::Asked::nothing;
}

void ServerMachine::State::ask(Membership& member, WaitingQuestion question) {
    if (member.phase != MemberPhase::joined) return;
    if (!member.keyed) return push_question(member, std::move(question));
    KeyedMember& keyed = *member.keyed;
    if (!must_wait(member)) {
        keyed.asked = KeyedMember::Asked::question;
        return push_question(member, std::move(question));
    }
    const std::size_t answer_bytes =
        question.answer && *question.answer ? (*question.answer)->data.size() : 0;
    const std::size_t bytes = question.event.size() + question.payload.data.size() + answer_bytes;
    const bool has_room = keyed.questions.size() < config.max_held_questions &&
                          (keyed.questions.empty() || bytes <= config.max_held_bytes - keyed.question_bytes);
    if (!has_room) {
        note_hit(Limit::max_held_questions);
        return crash(member, "too many messages wait for the broker");
    }
    keyed.question_bytes += std::min(bytes, config.max_held_bytes - keyed.question_bytes);
    keyed.questions.push_back(std::move(question));
}

void ServerMachine::State::push_question(Membership& member, WaitingQuestion question) {
    if (question.kind == WaitingQuestion::Kind::info) {
        ++member.due;
        out.push(event::InfoDue{member.id, member.pattern, std::move(question.event)});
        return;
    }
    const std::string_view event = out.keep(question.event);
    if (question.kind == WaitingQuestion::Kind::response) {
        ++member.due;
        out.push(event::ResponseIn{member.id, member.pattern, event, std::move(question.answer)});
        return;
    }
    const PayloadView payload{question.payload.kind, out.keep(question.payload.data)};
    if (question.kind == WaitingQuestion::Kind::out) {
        out.push(event::MessageOut{member.id, member.pattern, event, payload});
    } else {
        out.push(event::BrokerMessage{member.id, member.pattern, event, payload});
    }
}

void ServerMachine::State::go_on(Membership& member) {
    if (!member.keyed) return;
    KeyedMember& keyed = *member.keyed;
    keyed.asked = KeyedMember::Asked::nothing;
    if (keyed.untold_end) push_ended(member, *keyed.untold_end);
    if (member.phase != MemberPhase::ended && !keyed.questions.empty()) {
        WaitingQuestion question = std::move(keyed.questions.front());
        keyed.questions.pop_front();
        if (keyed.questions.empty()) keyed.question_bytes = 0;
        keyed.asked = KeyedMember::Asked::question;
        return push_question(member, std::move(question));
    }
    if (keyed.held.empty()) return;
    replays.push_back({member.session, std::exchange(keyed.held, {}), 0});
    keyed.held_bytes = 0;
}

void ServerMachine::State::hold_keyed(Session& session, Membership& member, const FrameView& frame,
                                      RawFrame raw) {
    KeyedMember& keyed = *member.keyed;
    const bool full = keyed.held.size() >= config.max_held_frames ||
                      raw.data.size() > config.max_held_bytes - keyed.held_bytes;
    // A client leaves once, and would stay a member if that were lost.
    if (full && frame.event == "phx_leave") return leave(session, member, frame);
    if (full) {
        note_hit(Limit::max_held_frames);
        return refuse(session, JsonToken{member.channel_ref}, frame, "channel busy");
    }
    keyed.held.push_back(HeldFrame{raw.opcode, std::string(raw.data), {}});
    keyed.held_bytes += raw.data.size();
}

void ServerMachine::State::push_ended(Membership& member, EndReason reason) {
    if (must_wait(member)) {
        member.keyed->untold_end = reason;
        return;
    }
    if (member.keyed) {
        member.keyed->asked = KeyedMember::Asked::end;
        member.keyed->untold_end.reset();
    }
    out.push(event::Ended{member.id, member.pattern, reason});
}

// ---- groups: the joined members of one pattern and one key

std::string ServerMachine::State::group_name(PatternId pattern, std::string_view key) {
    std::string name = std::to_string(static_cast<std::uint32_t>(pattern));
    name.push_back(':');
    return name.append(key);
}

std::vector<MemberId> ServerMachine::State::group(PatternId pattern, std::string_view key) const {
    const auto found = groups.find(group_name(pattern, key));
    return found != groups.end() ? found->second : std::vector<MemberId>();
}

void ServerMachine::State::enter_group(Membership& member) {
    std::vector<MemberId>& list = groups[group_name(member.pattern, member.keyed->key)];
    member.keyed->position = static_cast<std::uint32_t>(list.size());
    list.push_back(member.id);
}

void ServerMachine::State::leave_group(Membership& member) {
    const auto found = groups.find(group_name(member.pattern, member.keyed->key));
    std::vector<MemberId>& list = found->second;
    const std::uint32_t position = member.keyed->position;
    list[position] = list.back();
    members.find(list[position])->keyed->position = position;
    list.pop_back();
    if (list.empty()) groups.erase(found);
}

} // namespace phx::protocol::server
