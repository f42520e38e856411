#pragma once

#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/client/client_machine.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A violation fails the test, or stops the fuzzer, which does not link GoogleTest.
#if __has_include(<gtest/gtest.h>) && !defined(PHX_FUZZING)
#include <gtest/gtest.h>
#define PHX_CHECK(condition, what)                                                                           \
    if (!(condition)) ADD_FAILURE() << #condition << ": " << (what)
#else
#define PHX_CHECK(condition, what)                                                                           \
    if (!(condition)) std::fprintf(stderr, "%s\n", std::string(what).c_str()), std::abort()
#endif

namespace phx::protocol::testing {

using Lines = std::vector<std::string>;

inline std::string_view to_string(SocketState s) {
    constexpr std::string_view names[] = {"idle", "connecting", "open", "closing", "waiting"};
    return names[static_cast<std::size_t>(s)];
}

inline std::string_view to_string(ChannelState s) {
    constexpr std::string_view names[] = {"closed", "joining", "joined", "leaving", "errored"};
    return names[static_cast<std::size_t>(s)];
}

inline std::string in_ms(Duration d) { return std::to_string(d.count() / 1000) + " ms"; }

/// Frames as text: JSON as it is, bytes with the unprintable ones as <hex>.
inline std::string printable(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        constexpr std::string_view hex = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else {
            text.append("<").append({hex[byte >> 4], hex[byte & 15]}).append(">");
        }
    }
    return text;
}

/// One line per output, in words that a test can compare whole. Channels print as their topics, pushes as p1,
/// p2 in the order in which the driver made them.
class OutputPrinter {
public:
    std::map<PushId, std::string>& push_names;
    const std::map<ChannelId, std::string>& topics;

    std::string operator()(const act::Prepare& o) const {
        return "prepare " + number(o.conn) + " attempt " + std::to_string(o.attempt);
    }
    std::string operator()(const act::Open& o) const {
        return "open " + number(o.conn) + " " + o.target.url +
               (o.target.subprotocols.empty() ? "" : " [" + o.target.subprotocols + "]");
    }
    std::string operator()(const act::Send& o) const {
        return (o.opcode == Opcode::binary ? "send binary " : "send ") + printable(o.data);
    }
    std::string operator()(const act::Close& o) const {
        return "close " + number(o.conn) + " " + std::to_string(o.code) + " '" + o.reason + "'";
    }
    std::string operator()(const act::PrepareJoin& o) const {
        return "prepare_join " + topics.at(o.channel) + " attempt " + std::to_string(o.attempt);
    }
    std::string operator()(const event::SocketChanged& o) const {
        std::string line = "socket " + std::string(to_string(o.from)) + " -> " + std::string(to_string(o.to));
        if (o.why)
            line += " (" + std::to_string(o.why->code) + quoted(o.why->reason) + text(o.why->error) + ")";
        return line;
    }
    std::string operator()(const event::ChannelChanged& o) const {
        std::string line = topics.at(o.channel) + " " + std::string(to_string(o.from)) + " -> " +
                           std::string(to_string(o.to));
        if (o.why) line += " (" + o.why->code.message() + ")";
        return line;
    }
    std::string operator()(const event::Joined& o) const {
        return "joined " + topics.at(o.channel) + " " + printable(o.reply.response);
    }
    std::string operator()(const event::MessageArrived& o) const {
        return "message " + topics.at(o.channel) + " " + frame(o.frame);
    }
    std::string operator()(const event::Unclaimed& o) const {
        return "unclaimed " + std::string(o.frame.topic) + " " + frame(o.frame);
    }
    std::string operator()(const event::PushFinished& o) const {
        const auto& p = o.outcome;
        std::string line = push_names.at(o.push) + " " + (p.error ? p.error->code.message() : "ok");
        if (p.error && !p.status.empty()) line += " " + std::string(p.status);
        if (!p.response.empty()) line += " " + printable(p.response);
        return p.elapsed > Duration{0} ? line + " after " + in_ms(p.elapsed) : line;
    }
    std::string operator()(const event::HeartbeatChanged& o) const {
        if (o.status == HeartbeatStatus::ok) return "heartbeat " + in_ms(o.round_trip);
        return o.status == HeartbeatStatus::sent ? "heartbeat sent" : "heartbeat timeout";
    }
    std::string operator()(const event::FrameDropped& o) const {
        return "dropped (" + o.error.code.message() + ")";
    }
    std::string operator()(const event::Gap& o) const {
        return "gap " + topics.at(o.channel) + " " + in_ms(o.offline);
    }

private:
    static std::string number(ConnId id) { return std::to_string(static_cast<std::uint64_t>(id)); }
    static std::string quoted(const std::string& reason) { return reason.empty() ? "" : " '" + reason + "'"; }
    static std::string text(const std::optional<Error>& e) { return e ? ", " + e->code.message() : ""; }
    static std::string frame(const FrameView& f) {
        return std::string(f.event) + " " + (f.status ? std::string(*f.status) + " " : "") +
               printable(f.payload);
    }
};

/// The shell of a test: carries the time, drains the outputs after each call, prints them, and keeps the
/// books: each PushId finishes once, each change of state begins where the last one ended, frames leave only
/// over an open connection. What breaks them fails the test.
class ClientDriver {
public:
    explicit ClientDriver(ClientConfig config = {}) : vsn(config.vsn), machine(std::move(config)) {}

    // ---- commands
    void connect() { machine.connect(now), drain(); }
    void disconnect(std::uint16_t code = 1000, std::string_view why = {}) {
        machine.disconnect(now, code, why), drain();
    }
    void reconnect_now() { machine.reconnect_now(now), drain(); }
    void skip_wait() { machine.skip_wait(now), drain(); }
    void give_up(const Error& why) { machine.give_up(now, why), drain(); }
    void give_up(ChannelId c, const Error& why) { machine.give_up(now, c, why), drain(); }
    ChannelId add(std::string topic, std::string json = "{}", const std::optional<ChannelConfig>& own = {}) {
        const ChannelId id = machine.add_channel(topic, std::move(json), own);
        topics[id] = std::move(topic);
        return id;
    }
    ChannelId add_asking(std::string topic) {
        const ChannelId id = machine.add_asking_channel(topic);
        topics[id] = std::move(topic);
        return id;
    }
    void remove(ChannelId c) { machine.remove_channel(now, c), drain(); }
    PushId join(ChannelId c, Duration timeout = {}) { return made(machine.join(now, c, timeout)); }
    PushId push(ChannelId c, std::string_view event, std::string_view json = "{}", Duration timeout = {}) {
        return made(machine.push(now, c, event, Opcode::text, json, timeout));
    }
    PushId push(ChannelId c, const PushContent& content, Expects expects = Expects::reply) {
        return made(machine.push(now, c, content, expects));
    }
    PushId push_binary(ChannelId c, std::string_view event, std::string_view bytes) {
        return made(machine.push(now, c, event, Opcode::binary, bytes));
    }
    Result<void> send(ChannelId c, std::string_view event, std::string_view json = "{}") {
        auto result = machine.send(now, c, event, Opcode::text, json);
        drain();
        return result;
    }
    PushId leave(ChannelId c, Duration timeout = {}) { return made(machine.leave(now, c, timeout)); }
    PushId ping(Duration timeout = {}) { return made(machine.ping(now, timeout)); }
    void cancel(PushId p) { machine.cancel(now, p), drain(); }

    // ---- reports
    void opened() { machine.handle_open(now, conn), drain(); }
    void closed(CloseInfo info = {}) { machine.handle_closed(now, conn, std::move(info)), drain(); }
    void closed_with(Errc code) {
        CloseInfo info;
        info.error = Error{make_error_code(code), Origin::transport, "test", {}};
        closed(std::move(info));
    }
    void prepared(Result<Target> target) { machine.handle_prepared(now, conn, std::move(target)), drain(); }
    void join_payload(ChannelId c, Result<std::string> json) {
        machine.handle_join_payload(now, c, std::move(json)), drain();
    }
    void receive(std::string_view text, Opcode opcode = Opcode::text) {
        machine.handle_frame(now, conn, opcode, text), drain();
    }
    /// A phx_reply of the server as the real one writes it over v2.
    void reply(std::string_view join_ref, std::string_view ref, std::string_view topic,
               std::string_view status = "ok", std::string_view response = "{}") {
        receive("[\"" + std::string(join_ref) + "\",\"" + std::string(ref) + "\",\"" + std::string(topic) +
                "\",\"phx_reply\",{\"response\":" + std::string(response) + ",\"status\":\"" +
                std::string(status) + "\"}]");
    }

    // ---- time
    /// Lets time pass without telling the machine.
    void pass(Duration d) { now += d; }
    /// Lets time pass and fires every timer at its time, as a shell does.
    void advance(Duration d) {
        const TimePoint end = now + d;
        for (auto due = machine.next_timeout(); due && *due <= end; due = machine.next_timeout()) {
            now = std::max(now, *due);
            machine.handle_timeout(now);
            drain();
        }
        now = end;
    }
    void timeout() { machine.handle_timeout(now), drain(); }
    std::optional<Duration> next() const {
        const auto due = machine.next_timeout();
        return due ? std::optional(*due - now) : std::nullopt;
    }

    // ---- what came out
    /// Everything since the last call.
    Lines take() { return std::exchange(lines, {}); }
    void drain() {
        while (auto out = machine.poll()) {
            std::visit([this](const auto& o) { note(o); }, *out);
            if (std::holds_alternative<event::Joined>(*out) && !prints_joined) continue;
            if (print == Print::lines) lines.push_back(std::visit(OutputPrinter{names, topics}, *out));
        }
    }
    /// Every push that was made has finished; that none did twice is checked always.
    void expect_all_finished() const {
        for (const auto& [id, name] : names) PHX_CHECK(finished.count(id) == 1, name + " never finished");
    }
    std::size_t unfinished() const { return names.size() - finished.size(); }

    enum class Print { lines, nothing } print = Print::lines;
    bool prints_joined = false;         ///< what a join was answered with: few tests are about that
    std::vector<std::string> sent = {}; ///< text frames, when nothing is printed
    std::size_t outputs = 0;
    Vsn vsn;
    TimePoint now{};
    ConnId conn{};
    ClientMachine machine;
    Lines lines = {};
    std::map<ChannelId, std::string> topics = {};
    std::map<PushId, std::string> names = {};
    std::set<PushId> finished = {};

private:
    PushId made(PushId id) {
        PHX_CHECK(names.count(id) == 0, "a PushId is used again");
        names[id] = "p" + std::to_string(names.size() + 1);
        drain();
        return id;
    }
    template <class T> void note(const T&) { ++outputs; }
    void note(const act::Open& o) { conn = o.conn; }
    void note(const act::Prepare& o) { conn = o.conn; }
    void note(const act::Send& o) {
        PHX_CHECK(socket == SocketState::open && o.conn == conn, "sent without a connection");
        if (print == Print::nothing && o.opcode == Opcode::text) sent.emplace_back(o.data);
    }
    void note(const event::SocketChanged& o) {
        PHX_CHECK(o.from == socket && o.to != o.from, "a change of the socket was not reported");
        socket = o.to;
    }
    void note(const event::ChannelChanged& o) {
        ChannelState& known = channels[o.channel];
        PHX_CHECK(o.from == known && o.to != known, "a change of " + topics[o.channel] + " was not reported");
        known = o.to;
    }
    void note(const event::MessageArrived& o) {
        const ChannelState state = channels[o.channel];
        PHX_CHECK(state == ChannelState::joined || state == ChannelState::joining, "a message for nobody");
    }
    void note(const event::PushFinished& o) {
        PHX_CHECK(names.count(o.push) == 1, "finished, but nobody made it");
        PHX_CHECK(finished.insert(o.push).second, names[o.push] + " finished twice");
        PHX_CHECK(o.outcome.error || o.outcome.status == "ok", "a success that is not ok");
    }

    SocketState socket = SocketState::idle;
    std::map<ChannelId, ChannelState> channels = {};
};

/// phoenix.js' timing, without jitter, so that tests can name every moment.
inline ClientConfig exact_config() {
    ClientConfig config;
    config.target.url = "ws://host/socket/websocket?vsn=2.0.0";
    config.first_connect.jitter = Jitter::none;
    config.reconnect.jitter = Jitter::none;
    config.channel.rejoin.jitter = Jitter::none;
    return config;
}

/// A driver whose socket is open and whose outputs so far are taken.
inline ClientDriver open_driver(ClientConfig config = exact_config()) {
    ClientDriver d(std::move(config));
    d.connect();
    d.opened();
    d.take();
    return d;
}

/// Adds and joins a channel; REQUIRES that the next ref is `ref`.
inline ChannelId joined(ClientDriver& d, const std::string& topic, const std::string& ref) {
    const ChannelId c = d.add(topic);
    d.join(c);
    d.reply(ref, ref, topic);
    PHX_CHECK(d.machine.channel_state(c) == ChannelState::joined, topic);
    d.take();
    return c;
}

} // namespace phx::protocol::testing
