#include "tests/sim/user.hpp"

#include <chrono>
#include <iterator>
#include <utility>
#include <variant>

namespace phx::sim {

using namespace std::chrono_literals;
using namespace protocol;

namespace {

constexpr std::string_view topics[] = {"room:a", "room:a", "room:b", "door:c",
                                       "late:d", "trap:e", "shut:f", "realtime:g"};
constexpr std::string_view events[] = {"echo",   "echo",    "publish", "publish", "publish",
                                       "filter", "murmur",  "bytes",   "slow",    "refuse",
                                       "never",  "whisper", "twice",   "track",   "untrack"};
constexpr std::string_view harmful_events[] = {"crash", "stop", "close"};

} // namespace

User::User(VirtualClock& clock, VirtualNetwork& network, const Trace& trace, Setup setup)
    : clock_(clock), trace_(trace), setup_(std::move(setup)), chance_(setup_.seed), pushes_(findings_),
      wire_(findings_), delivery_(findings_),
      node_(clock, network, setup_.config, setup_.framing, setup_.host, *this) {}

void User::say(const std::string& what) const {
    if (trace_.is_on) trace_.line(clock_.now(), "user " + std::to_string(setup_.number) + ": " + what);
}

// ---- operations

void User::act() {
    if (channels_.empty() || (channels_.size() < std::size(topics) && chance_.one_in(20)))
        add_channel(std::string(topics[channels_.size()]));
    switch (chance_.below(32)) {
    case 0: return chance_.one_in(3) ? disconnect() : connect();
    case 1:
    case 2: return connect();
    case 3: return reconnect_now();
    case 4:
    case 5:
    case 6: return join(any_channel(), chance_.one_in(2) ? Duration{0} : chance_.between(200ms, 20s));
    case 7: return chance_.one_in(2) ? leave(any_channel(), any_timeout()) : join(any_channel());
    case 8: return chance_.one_in(4) ? remove_and_add(any_channel()) : ping(any_timeout());
    case 9:
    case 10: return cancel();
    case 11:
    case 12: return send(any_channel(), any_event());
    default: return push(any_channel(), any_event(), any_timeout());
    }
}

void User::connect() {
    say("connect");
    wants_connection_ = true;
    node_.machine().connect(node_.now());
    node_.pump();
}

void User::disconnect() {
    say("disconnect");
    wants_connection_ = false;
    earliest_connect_ = TimePoint::min();
    node_.machine().disconnect(node_.now());
    has_ended_everything_ = true;
    node_.pump();
}

void User::reconnect_now() {
    earliest_connect_ = TimePoint::min();
    node_.machine().reconnect_now(node_.now());
    node_.pump();
}

std::size_t User::add_channel(const std::string& topic) {
    const bool asks = chance_.one_in(4);
    channels_.push_back({make_channel(topic, asks), topic, asks});
    return channels_.size() - 1;
}

ChannelId User::make_channel(const std::string& topic, bool asks) {
    ClientMachine& machine = node_.machine();
    const ChannelId id = asks ? machine.add_asking_channel(topic) : machine.add_channel(topic, "{}");
    topics_[id] = topic;
    return id;
}

void User::join(std::size_t i, Duration timeout) {
    say("join " + channels_[i].topic);
    made(node_.machine().join(node_.now(), channels_[i].id, timeout), timeout);
}

void User::leave(std::size_t i, Duration timeout) {
    say("leave " + channels_[i].topic);
    made(node_.machine().leave(node_.now(), channels_[i].id, timeout), timeout);
}

void User::push(std::size_t i, const std::string& event, Duration timeout) {
    const std::string json = payload();
    const std::uint64_t tag = channels_[i].topic.starts_with("realtime:") ? 0 : last_tag_;
    const Opcode kind = chance_.one_in(10) ? Opcode::binary : Opcode::text;
    made(node_.machine().push(node_.now(), channels_[i].id, event, kind, json, timeout), timeout, tag,
         channels_[i].id);
    pushes_.expect_bounded(channels_[i].id, setup_.config.channel.max_buffered_pushes);
}

void User::send(std::size_t i, const std::string& event) {
    (void)node_.machine().send(node_.now(), channels_[i].id, event, Opcode::text, payload());
    node_.pump();
}

void User::remove_and_add(std::size_t i) {
    say("remove " + channels_[i].topic);
    node_.machine().remove_channel(node_.now(), channels_[i].id);
    node_.pump();
    delivery_.removed(channels_[i].id);
    channels_[i] = {make_channel(channels_[i].topic, channels_[i].asks), channels_[i].topic,
                    channels_[i].asks};
}

void User::ping(Duration timeout) { made(node_.machine().ping(node_.now(), timeout), timeout); }

void User::cancel() {
    if (recent_.empty()) return;
    node_.machine().cancel(node_.now(), recent_[chance_.below(recent_.size())]);
    node_.pump();
}

void User::suspend(Duration duration, VirtualNetwork::Heard heard) {
    say("suspended for " + std::to_string(duration / 1s) + " s");
    pushes_.woke(node_.now() + duration);
    node_.suspend(duration, heard);
}

void User::made(PushId id, Duration timeout, std::uint64_t tag, ChannelId channel) {
    pushes_.made(id, after(node_.now(), timeout > 0s ? timeout : setup_.config.timeout), tag, channel);
    if (recent_.size() == 16) recent_.erase(recent_.begin());
    recent_.push_back(id);
    node_.pump();
}

Duration User::any_timeout() { return chance_.one_in(2) ? Duration{0} : chance_.between(1ms, 20s); }

std::string User::any_event() {
    if (chance_.one_in(40)) return std::string(harmful_events[chance_.below(std::size(harmful_events))]);
    return std::string(events[chance_.below(std::size(events))]);
}

/// Tags rise, so that the server sees pushes that overtake each other.
std::string User::payload() {
    last_tag_ = (last_tag_ / 1000 + 1) * 1000 + setup_.number;
    return "{\"tag\":" + std::to_string(last_tag_) + "}";
}

// ---- audits

void User::expect_content(ChatApplication& application) {
    const SocketState wanted = wants_connection_ ? SocketState::open : SocketState::idle;
    if (node_.machine().state() != wanted) {
        return findings_.add(wants_connection_ ? "wants to be connected and is not" : "is not idle");
    }
    if (!wants_connection_) return;
    for (const Channel& channel : channels_) {
        if (!channel.wanted || channel.topic.starts_with("shut:")) continue;
        if (node_.machine().channel_state(channel.id) != ChannelState::joined) {
            findings_.add("wants to be in " + channel.topic + " and is not");
        } else if (!channel.topic.starts_with("realtime:")) {
            for (const char* stream : {"news", "filtered"})
                delivery_.expect_at(channel.topic, stream, application.position(channel.topic, stream));
        }
    }
}

std::size_t User::joined() {
    std::size_t joined = 0;
    for (const Channel& channel : channels_)
        joined += node_.machine().channel_state(channel.id) == ChannelState::joined ? 1 : 0;
    return joined;
}

void User::expect_at_rest() {
    pushes_.expect_none_outstanding();
    if (node_.machine().state() != SocketState::idle) findings_.add("is disconnected and not idle");
    if (node_.outputs_of_old_connections() > 0) findings_.add("events of an old connection");
    if (node_.machine().next_timeout()) findings_.add("is idle and has a timer");
    if (node_.most_timeouts_at_once() >= 10)
        findings_.add("its timer fired " + std::to_string(node_.most_timeouts_at_once()) +
                      " times at one instant");
}

} // namespace phx::sim
