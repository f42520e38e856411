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

constexpr Errc given_up_with = Errc::bad_auth; // nothing else ends a push so

Error no_longer() { return fail(given_up_with, "the user has enough").error; }

} // namespace

Jitter any_jitter(Chance& chance) { return static_cast<Jitter>(chance.below(4)); }

ChannelConfig any_channel_config(Chance& chance) {
    ChannelConfig config;
    config.rejoin.jitter = any_jitter(chance);
    config.max_rejoins = chance.one_in(3) ? 1 + static_cast<unsigned>(chance.below(4)) : 0;
    config.after_close = chance.one_in(3) ? AfterClose::rejoin : AfterClose::stay_closed;
    config.max_buffered_pushes = chance.one_in(4) ? chance.below(8) : 1000;
    config.max_buffered_bytes = chance.one_in(8) ? chance.below(200) : 1u << 20;
    config.overflow = chance.one_in(2) ? Overflow::reject_newest : Overflow::drop_oldest;
    return config;
}

User::User(VirtualClock& clock, VirtualNetwork& network, const Trace& trace, Setup setup)
    : clock_(clock), trace_(trace), setup_(std::move(setup)), chance_(setup_.seed),
      pushes_(findings_, setup_.config.in_flight), policy_(findings_, setup_.config.max_attempts),
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
    case 3: return chance_.one_in(2) ? reconnect_now() : give_up();
    case 4:
    case 5:
    case 6: return join(any_channel(), chance_.one_in(2) ? Duration{0} : chance_.between(200ms, 20s));
    case 7: return chance_.one_in(2) ? leave(any_channel(), any_timeout()) : join(any_channel());
    case 8: return chance_.one_in(4) ? remove_and_add(any_channel()) : ping(any_timeout());
    case 13:
        if (chance_.one_in(2)) return give_up(any_channel());
        return set_join_payload(any_channel(), chance_.one_in(8) ? "{" : any_join_payload());
    case 9:
    case 10: return cancel();
    case 11:
    case 12: return send(any_channel(), any_event());
    default: return push(any_channel(), any_event(), any_timeout());
    }
}

void User::connect() {
    say("connect");
    ++decisions_;
    policy_.connect();
    node_.machine().connect(node_.now());
    node_.pump();
}

void User::disconnect() {
    say("disconnect");
    ++decisions_;
    policy_.stop();
    earliest_connect_ = TimePoint::min();
    node_.machine().disconnect(node_.now());
    has_ended_everything_ = true;
    node_.pump();
}

void User::reconnect_now() {
    policy_.reconnect_now();
    earliest_connect_ = TimePoint::min();
    node_.machine().reconnect_now(node_.now());
    node_.pump();
}

/// While waiting it ends everything, else it does nothing.
void User::give_up() {
    say("give up");
    const bool is_waiting = node_.machine().state() == SocketState::waiting;
    if (is_waiting) {
        policy_.stop();
        pushes_.give_up(given_up_with);
        has_ended_everything_ = true;
        connect_later();
    }
    node_.machine().give_up(node_.now(), no_longer());
    if ((node_.pump() > 0) != is_waiting) findings_.add("gave up connecting in another state");
}

/// While errored it closes the channel, else it does nothing.
void User::give_up(std::size_t i) {
    say("give up " + channels_[i].topic);
    const ChannelId id = channels_[i].id;
    const bool is_errored = node_.machine().channel_state(id) == ChannelState::errored;
    if (is_errored) {
        policy_.close(id);
        pushes_.give_up(given_up_with);
        join_later(id);
    }
    node_.machine().give_up(node_.now(), id, no_longer());
    if ((node_.pump() > 0) != is_errored) findings_.add("gave up a channel in another state");
}

void User::connect_later() {
    clock_.after(chance_.between(1s, 20s), [this, decision = decisions_] {
        if (decision == decisions_) connect();
    });
}

void User::join_later(ChannelId id) {
    clock_.after(chance_.between(1s, 20s), [this, id] {
        const Channel* channel = find(id);
        if (channel != nullptr && !policy_.wants(id))
            join(static_cast<std::size_t>(channel - channels_.data()));
    });
}

void User::settle() {
    is_kind_ = true;
    for (std::size_t i = 0; i < channels_.size(); ++i) set_join_payload(i, any_join_payload());
}

User::Channel* User::find(ChannelId id) {
    for (Channel& channel : channels_)
        if (channel.id == id) return &channel;
    return nullptr;
}

std::size_t User::add_channel(const std::string& topic) {
    const bool asks = chance_.one_in(4);
    channels_.push_back(make_channel(topic, asks));
    return channels_.size() - 1;
}

User::Channel User::make_channel(const std::string& topic, bool asks) {
    ClientMachine& machine = node_.machine();
    Channel channel{{}, topic, asks};
    if (chance_.one_in(2)) channel.own = any_channel_config(chance_);
    channel.id = asks ? machine.add_asking_channel(topic, channel.own)
                      : machine.add_channel(topic, channel.join_payload, channel.own);
    topics_[channel.id] = topic;
    policy_.add(channel.id, topic, config_of(channel));
    return channel;
}

void User::join(std::size_t i, Duration timeout) {
    say("join " + channels_[i].topic);
    policy_.join(channels_[i].id);
    made(node_.machine().join(node_.now(), channels_[i].id, timeout), timeout);
}

void User::leave(std::size_t i, Duration timeout) {
    say("leave " + channels_[i].topic);
    policy_.close(channels_[i].id);
    made(node_.machine().leave(node_.now(), channels_[i].id, timeout), timeout);
}

void User::push(std::size_t i, const std::string& event, Duration timeout) {
    const std::string json = payload();
    const std::uint64_t tag = channels_[i].topic.starts_with("realtime:") ? 0 : last_tag_;
    const Opcode kind = chance_.one_in(10) ? Opcode::binary : Opcode::text;
    made(node_.machine().push(node_.now(), channels_[i].id, event, kind, json, timeout), timeout, tag,
         channels_[i].id);
    pushes_.expect_bounded(channels_[i].id, config_of(channels_[i]).max_buffered_pushes);
}

void User::send(std::size_t i, const std::string& event) {
    (void)node_.machine().send(node_.now(), channels_[i].id, event, Opcode::text, payload());
    node_.pump();
}

void User::remove_and_add(std::size_t i) {
    say("remove " + channels_[i].topic);
    policy_.close(channels_[i].id);
    node_.machine().remove_channel(node_.now(), channels_[i].id);
    node_.pump();
    delivery_.removed(channels_[i].id);
    policy_.remove(channels_[i].id);
    channels_[i] = make_channel(channels_[i].topic, channels_[i].asks);
}

void User::set_join_payload(std::size_t i, std::string json) {
    channels_[i].join_payload = json;
    node_.machine().set_join_payload(channels_[i].id, std::move(json));
    node_.pump();
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
    const bool wants_connection = policy_.wants_connection();
    const SocketState wanted = wants_connection ? SocketState::open : SocketState::idle;
    if (node_.machine().state() != wanted) {
        return findings_.add(wants_connection ? "wants to be connected and is not" : "is not idle");
    }
    if (!wants_connection) return;
    for (const Channel& channel : channels_) {
        if (!policy_.wants(channel.id) || channel.topic.starts_with("shut:")) continue;
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
