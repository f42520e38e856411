#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>

namespace phx::protocol::server {
namespace {

/// The object without a meta: that is the server's to say. Empty if it is no object.
std::string without_meta(std::string_view object) {
    std::string kept;
    realtime::JsonMembers members(object);
    realtime::JsonMember member;
    std::string scratch;
    if (!members.is_object()) return kept;
    while (members.next(member)) {
        if (unquote(member.name, scratch) == "meta") continue;
        kept.append(kept.empty() ? "{" : ",").append(member.name.text).append(":").append(member.value);
    }
    return kept.empty() ? "{}" : kept.append("}");
}

std::string with_meta(std::string_view object, std::string_view meta) {
    std::string out(object.substr(0, object.size() - 1));
    return out.append(out.size() > 1 ? ",\"meta\":" : "\"meta\":").append(meta).append("}");
}

std::string envelope(std::string_view user_event, std::string_view json) {
    std::string out = "{\"type\":\"broadcast\",\"event\":";
    append_json_string(out, user_event);
    return out.append(",\"payload\":").append(json.empty() ? "{}" : json).append("}");
}

/// With the id that the members got it with. Empty: it has none.
std::string replayed_meta(const Publication& past) {
    const auto meta = past.user_event ? past.metadata : realtime::json_member(past.payload, "meta");
    const auto id = meta ? realtime::json_member(*meta, "id") : std::nullopt;
    return id ? "{\"id\":" + std::string(*id) + ",\"replayed\":true}" : std::string();
}

HistoryStore::Bytes shared_bytes(const Publication& publication) {
    std::string bytes;
    append_publication(bytes, publication);
    return std::make_shared<const std::string>(std::move(bytes));
}

/// The first of the newest that have no more bytes together. Nothing in between is left out: who is told of
/// a message has missed none after it.
template <class List> auto newest_within(const List& past, std::size_t max_bytes) {
    auto first = past.end();
    for (std::size_t bytes = 0; first != past.begin(); --first) {
        bytes += (*std::prev(first))->size();
        if (bytes > max_bytes) break;
    }
    return first;
}

} // namespace

std::int64_t ServerMachine::State::unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch() + unix_offset)
        .count();
}

/// Only of private rooms: Supabase replays nothing else.
const phx::server::History* ServerMachine::State::history_rule(const Topic& topic) const {
    if (topic.visibility == Visibility::open) return nullptr;
    for (const phx::server::History& rule : config.history)
        if (topic_matches(rule.pattern, topic.name)) return keeps_anything(rule) ? &rule : nullptr;
    return nullptr;
}

bool ServerMachine::State::relay_everywhere(Topic& topic, FrameView copy, const Membership* except) {
    const phx::server::History* const rule = history_rule(topic);
    if (rule == nullptr) return fan_out_everywhere(topic, copy, except);
    const std::string meta = "{\"id\":\"" + ids.uuid() + "\"}";
    std::string with;
    if (copy.user_event) {
        copy.metadata = meta;
    } else {
        const std::string object = copy.kind == Opcode::text ? without_meta(copy.payload) : std::string();
        // Nothing that could carry an id.
        if (object.empty()) return fan_out_everywhere(topic, copy, except);
        with = with_meta(object, meta);
        copy.payload = with;
    }
    if (!fan_out(topic, copy, except)) return false;
    keep(topic, *rule, copy);
    return true;
}

void ServerMachine::State::keep(const Topic& topic, const phx::server::History& rule,
                                const FrameView& frame) {
    const Publication publication = publication_of(frame);
    if (config.peers == Peers::none)
        return history.add(topic.name, unix_ms(), shared_bytes(publication), rule);
    tell_peers(topic_ns(topic), topic.name, publication, &rule);
    remember_for_readers(topic, publication);
}

// ---- replay

std::int64_t ServerMachine::State::replayed_since(const phx::server::History& rule,
                                                  std::int64_t since_ms) const {
    const std::int64_t now_ms = unix_ms();
    if (rule.max_age.count() > now_ms / 1000) return since_ms; // nothing is as old
    return std::max(since_ms, now_ms - 1000 * rule.max_age.count() + 1);
}

void ServerMachine::State::replay_history(Session& session, const Membership& member,
                                          const PendingJoin& join) {
    const auto& wanted = join.request.replay;
    const phx::server::History* const rule = wanted ? history_rule(topics[member.topic]) : nullptr;
    if (rule == nullptr) return;
    const auto replay_newest = [&](const auto& past) {
        for (auto one = newest_within(past, config.max_replay_bytes); one != past.end(); ++one)
            replay(session, member, **one);
    };
    if (config.peers != Peers::none) return replay_newest(join.history);
    const std::int64_t since = replayed_since(*rule, wanted->since_ms);
    replay_newest(history.since(topic_name(member), since, wanted->limit));
}

void ServerMachine::State::replay(Session& session, const Membership& member, std::string_view publication) {
    const auto past = read_publication(publication);
    const std::string meta = past ? replayed_meta(*past) : std::string();
    if (meta.empty()) return; // of another version of this program
    if (past->opcode == Opcode::text) {
        const std::string object =
            past->user_event ? envelope(*past->user_event, past->payload) : without_meta(past->payload);
        push(session, member, past->event, {Opcode::text, with_meta(object, meta)});
    } else if (session.vsn == Vsn::v2) { // v1 has no bytes
        FrameView frame;
        frame.topic = topic_name(member);
        frame.event = past->event;
        frame.user_event = past->user_event;
        frame.metadata = meta;
        frame.kind = Opcode::binary;
        frame.payload = past->payload;
        send(session, frame);
    }
}

// ---- what the broker keeps

bool ServerMachine::State::ask_history(Membership& member) {
    PendingJoin& join = *member.pending;
    const auto& wanted = join.request.replay;
    if (!wanted || join.has_asked_history) return false;
    Topic& topic = topics[member.topic];
    const phx::server::History* const rule = history_rule(topic);
    if (rule == nullptr) return false;
    join.has_asked_history = true;
    ++member.subscribed->awaited;
    topic.readers.push_back(member.id);
    out.push(act::ReadHistory{member.id, topic_ns(topic), out.keep(topic.name),
                              replayed_since(*rule, wanted->since_ms), wanted->limit});
    return true;
}

/// The answer has what was published before the question, and what comes after the answer is sent to the
/// member: between them are only the publications of this machine.
void ServerMachine::State::remember_for_readers(const Topic& topic, const Publication& publication) {
    if (topic.readers.empty()) return;
    const HistoryStore::Bytes bytes = shared_bytes(publication);
    for (const MemberId id : topic.readers) {
        PendingJoin& join = *members.find(id)->pending;
        join.history.push_back(bytes);
        if (join.history.size() > join.request.replay->limit) join.history.pop_front();
    }
}

void ServerMachine::handle_history(TimePoint now, MemberId id, std::vector<HistoryStore::Bytes> past) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    Membership* const member = s.find_reader(id);
    if (member == nullptr) return; // it is gone
    PendingJoin& join = *member->pending;
    while (!past.empty() && join.history.size() < join.request.replay->limit) {
        join.history.push_front(std::move(past.back()));
        past.pop_back();
    }
    --member->subscribed->awaited;
    s.go_on_joining(now, *member);
}

void ServerMachine::handle_history_failed(TimePoint now, MemberId id) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    if (Membership* const member = s.find_reader(id))
        s.stop_waiting(now, *member, State::refusal(realtime::history_unavailable));
}

Membership* ServerMachine::State::find_reader(MemberId id) {
    Membership* const member = members.find(id);
    const bool waits =
        member != nullptr && member->phase == MemberPhase::subscribing && member->pending->has_asked_history;
    return waits ? member : nullptr;
}

} // namespace phx::protocol::server
