#include "tests/sim/oracles.hpp"

#include <algorithm>
#include <charconv>

namespace phx::sim {

using namespace protocol;

namespace {

std::string name(PushId id) { return "push " + std::to_string(static_cast<std::uint64_t>(id)); }
std::string name(ChannelId id) { return "channel " + std::to_string(static_cast<std::uint32_t>(id)); }

std::string_view text(const std::optional<JsonToken>& token) { return token ? token->text : "null"; }

} // namespace

std::optional<std::uint64_t> number(std::string_view json, std::string_view key) {
    for (std::size_t at = json.find(key); at != std::string_view::npos; at = json.find(key, at + 1)) {
        const std::string_view rest = json.substr(at + key.size());
        if (at == 0 || json[at - 1] != '"' || !rest.starts_with("\":")) continue;
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(rest.data() + 2, rest.data() + rest.size(), value);
        if (error == std::errc()) return value;
    }
    return std::nullopt;
}

// ---- pushes

PushOracle::Push& PushOracle::at(PushId id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= pushes_.size()) pushes_.resize(index + 1);
    return pushes_[index];
}

void PushOracle::made(PushId id, TimePoint deadline, std::uint64_t tag, ChannelId channel) {
    Push& push = at(id);
    if (push.state != Push::State::unknown) findings_.add(name(id) + " is used again");
    push = {Push::State::outstanding, deadline, tag, channel};
    if (tag != 0) by_tag_[tag] = id;
    ++made_;
}

void PushOracle::finished(TimePoint now, const event::PushFinished& end) {
    Push& push = at(end.push);
    if (push.state == Push::State::finished) return findings_.add(name(end.push) + " finished twice");
    if (push.state == Push::State::unknown)
        return findings_.add(name(end.push) + " finished, but nobody made it");
    push.state = Push::State::finished;
    by_tag_.erase(push.tag);
    check_end(end, push);
    ++finished_;
    if (now > std::max(push.deadline, woke_)) findings_.add(name(end.push) + " finished after its timeout");
    const PushOutcome& outcome = end.outcome;
    if (!outcome.error && outcome.status != "ok") findings_.add(name(end.push) + " succeeded without an ok");
    const bool is_answered = !outcome.error || outcome.error->code == Errc::rejected;
    // Who waits although the channel has crashed may still hear that it had when the push came.
    const bool came_late =
        in_flight_ == InFlight::wait && outcome.response == R"({"reason":"unmatched topic"})";
    if (is_answered && !came_late && push.tag != 0 && number(outcome.response, "tag") != push.tag)
        findings_.add(name(end.push) + " got the answer of another: " + std::string(outcome.response));
}

void PushOracle::check_end(const event::PushFinished& end, const Push& push) {
    const auto& error = end.outcome.error;
    if (given_up_with_ && (!error || error->code != *given_up_with_))
        findings_.add(name(end.push) + " does not say why it was given up");
    if (in_flight_ == InFlight::fail || !push.is_sent || !error) return;
    const bool has_ended = error->code == Errc::disconnected || error->code == Errc::channel_closed;
    if (has_ended && channels_[push.channel] != ChannelState::closed)
        findings_.add(name(end.push) + " did not wait for its timeout");
}

void PushOracle::changed(const event::ChannelChanged& change) {
    channels_[change.channel] = change.to;
    if (change.to == ChannelState::errored || change.to == ChannelState::closed)
        ended_.insert(change.channel);
}

void PushOracle::rest() {
    for (const auto& [tag, id] : by_tag_) {
        const Push& push = at(id);
        const bool is_gone = has_lost_connection_ || ended_.count(push.channel) == 1;
        const bool may_wait = in_flight_ == InFlight::wait && channels_[push.channel] != ChannelState::closed;
        if (push.is_sent && is_gone && !may_wait)
            findings_.add(name(id) + " outlived its " + (has_lost_connection_ ? "connection" : "channel"));
    }
    ended_.clear();
    given_up_with_.reset();
    has_lost_connection_ = false;
}

void PushOracle::sent(std::uint64_t tag) {
    const auto found = by_tag_.find(tag);
    if (found != by_tag_.end()) at(found->second).is_sent = true;
}

void PushOracle::expect_bounded(ChannelId channel, std::size_t limit) {
    const auto waiting = std::count_if(by_tag_.begin(), by_tag_.end(), [&](const auto& entry) {
        const Push& push = at(entry.second);
        return push.channel == channel && !push.is_sent;
    });
    if (static_cast<std::size_t>(waiting) > limit)
        findings_.add(std::to_string(waiting) + " pushes wait for the join of " + name(channel));
}

void PushOracle::expect_none_outstanding() {
    for (std::size_t id = 0; id < pushes_.size(); ++id)
        if (pushes_[id].state == Push::State::outstanding)
            findings_.add(name(PushId{id}) + " never finished");
}

// ---- wire

void WireOracle::changed(const event::SocketChanged& change) {
    if (change.from != state_ || change.to == change.from)
        findings_.add("a change of the socket was not reported");
    state_ = change.to;
    if (state_ == SocketState::open) topics_.clear();
}

void WireOracle::opening(ConnId conn) {
    if (conn <= conn_) findings_.add("the id of a connection was used before");
    conn_ = conn;
}

void WireOracle::check_ref(const FrameView& frame) {
    std::uint64_t ref = 0;
    const std::string_view token = text(frame.ref);
    if (token.size() > 2) std::from_chars(token.data() + 1, token.data() + token.size() - 1, ref);
    if (ref <= last_ref_) findings_.add("a ref does not rise: " + std::string(token));
    last_ref_ = ref;
}

void WireOracle::sent(ConnId conn, const FrameView& frame) {
    if (!is_current(conn)) findings_.add("sent without an open connection");
    check_ref(frame);
    if (frame.topic == "phoenix") return;
    Topic& topic = topics_[std::string(frame.topic)];
    const std::string what = std::string(frame.event) + " to " + std::string(frame.topic);
    if (frame.event == "phx_join") {
        if (topic.join != Join::none) findings_.add(what + ", which this connection has joined already");
        topic = {Join::asked, std::string(text(frame.ref))};
        return;
    }
    const bool is_leave = frame.event == "phx_leave";
    if (topic.join == Join::none || (topic.join == Join::asked && !is_leave))
        findings_.add(what + " before its join was acknowledged");
    if (text(frame.join_ref) != topic.join_ref) findings_.add(what + " under another join_ref");
    if (is_leave) topic.join = Join::none;
}

WireOracle::Heard WireOracle::received(ConnId conn, const FrameView& frame) {
    if (!is_current(conn)) return Heard::nothing; // the machine has to ignore it
    const auto at = topics_.find(frame.topic);
    if (at == topics_.end()) return Heard::nothing;
    Topic& topic = at->second;
    if (text(frame.ref) != topic.join_ref || topic.join == Join::none) return Heard::nothing;
    if (frame.event == "phx_reply" && topic.join == Join::asked) {
        topic.join = frame.status == "ok" ? Join::live : Join::none;
        return topic.join == Join::live ? Heard::joined : Heard::nothing;
    }
    if (frame.event == "phx_close" || frame.event == "phx_error") topic.join = Join::none;
    return frame.event == "phx_close" ? Heard::closed : Heard::nothing;
}

void WireOracle::delivered() {
    if (state_ != SocketState::open) findings_.add("delivered what came over no current connection");
}

// ---- delivery

void DeliveryOracle::joined(const std::string& topic, const std::string& stream, Position at, Start start) {
    const auto past = past_.find({topic, stream});
    if (past != past_.end() && past->second.stream == at.stream && past->second.number > at.number)
        findings_.add("a join of " + topic + " begins before what came already");
    streams_[{topic, stream}] = {at, start};
}

void DeliveryOracle::message(const std::string& topic, const std::string& stream, Position at) {
    const std::string what = stream + " " + std::to_string(at.number) + " of " + topic;
    const auto found = streams_.find({topic, stream});
    if (found == streams_.end()) {
        // Broadcasts carry no join_ref: those to the join before are taken for the one under way
        // (phoenix.js).
        const auto past = past_.find({topic, stream});
        const bool fits =
            past != past_.end() && past->second.stream == at.stream && past->second.number < at.number;
        if (!fits) return findings_.add(what + " without a join");
        past->second = at;
        return;
    }
    auto& [last, start] = found->second;
    if (at.stream != last.stream) return findings_.add(what + " of a server that was not joined");
    if (at.number <= last.number)
        findings_.add(what + " twice or out of order, after " + std::to_string(last.number));
    if (at.number > last.number + 1 && start == Start::exact)
        findings_.add(what + " after " + std::to_string(last.number) + ": lost without a gap");
    last = at;
    start = Start::exact;
}

void DeliveryOracle::expect_at(const std::string& topic, const std::string& stream, Position at) {
    const auto found = streams_.find({topic, stream});
    if (found == streams_.end())
        return findings_.add("a member of " + topic + " has no position in " + stream);
    const auto& [last, start] = found->second;
    const bool has_missed = start == Start::exact ? last.number != at.number : last.number > at.number;
    if (last.stream != at.stream || has_missed)
        findings_.add("the last of " + stream + " of " + topic +
                      " never came: " + std::to_string(last.number) + " of " + std::to_string(at.number));
}

void DeliveryOracle::changed(TimePoint now, const std::string& topic, const event::ChannelChanged& change) {
    const bool was_joined = change.from == ChannelState::joined;
    if (was_joined) {
        for (const auto& [key, stream] : streams_)
            if (key.first == topic) past_[key] = stream.at;
        std::erase_if(streams_, [&](const auto& s) { return s.first.first == topic; });
    }
    // What the client gave up is missed all the same, whoever was the reason.
    const bool by_us =
        !change.why || (change.why->code == Errc::channel_closed && change.why->origin == Origin::local);
    if (change.to == ChannelState::joined) {
        if (offline_since_.count(change.channel) == 1) owed_ = change.channel;
    } else if (change.to == ChannelState::closed && by_us) {
        offline_since_.erase(change.channel);
    } else if (was_joined && change.to != ChannelState::leaving) {
        offline_since_[change.channel] = now;
    }
}

void DeliveryOracle::gap(TimePoint now, const event::Gap& gap) {
    if (owed_ != gap.channel) return findings_.add("a gap of " + name(gap.channel) + " that was none");
    if (gap.offline != now - offline_since_.at(gap.channel)) findings_.add("a gap of the wrong length");
    offline_since_.erase(gap.channel);
    owed_.reset();
}

void DeliveryOracle::removed(ChannelId id) { offline_since_.erase(id); }

void DeliveryOracle::expect_no_gap_owed() {
    if (owed_) findings_.add("a gap of " + name(*owed_) + " was not reported");
    owed_.reset();
}

// ---- server

void ServerOracle::accepted(SessionId session, std::string_view topic) {
    Membership& member = members_[{session, std::string(topic)}];
    if (member.is_live) findings_.add("two live joins of " + std::string(topic) + " on one connection");
    member.is_live = true;
}

void ServerOracle::ended(SessionId session, std::string_view topic) {
    members_[{session, std::string(topic)}].is_live = false;
}

void ServerOracle::handled(SessionId session, std::string_view topic, std::uint64_t tag) {
    Membership& member = members_[{session, std::string(topic)}];
    if (tag <= member.last_tag) {
        findings_.add("push " + std::to_string(tag) + " of " + std::string(topic) +
                      " twice or out of order, after " + std::to_string(member.last_tag));
    }
    member.last_tag = tag;
}

void ServerOracle::fanned_out(const protocol::server::act::Fanout& fanout) {
    std::vector<SessionId> sessions(fanout.sessions.begin(), fanout.sessions.end());
    std::sort(sessions.begin(), sessions.end());
    if (std::adjacent_find(sessions.begin(), sessions.end()) != sessions.end())
        findings_.add("one broadcast twice to one connection");
}

void ServerOracle::sent(SessionId session, bool is_connected) {
    if (!is_connected)
        findings_.add("sent to the session " + std::to_string(slot(session)) + ", which is gone");
}

// ---- spread

Spread spread(const std::vector<TimePoint>& moments, TimePoint from, Duration span) {
    std::vector<std::size_t> counts;
    for (const TimePoint at : moments) {
        const auto index = static_cast<std::size_t>((at - from) / span);
        if (index >= counts.size()) counts.resize(index + 1);
        ++counts[index];
    }
    if (counts.empty()) return {};
    return {*std::max_element(counts.begin(), counts.end()),
            static_cast<double>(moments.size()) / static_cast<double>(counts.size())};
}

} // namespace phx::sim
