#pragma once

#include "tests/support/client_driver.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::testing {

/// A user, a network and a server that do anything in any order, as `choose` says: `choose(n)` gives a number
/// below n. What it sends to the machine is mostly sensible, so that it gets deep into the states, and
/// sometimes not.
template <class Choose> class ClientOperations {
public:
    ClientOperations(ClientConfig config, Choose choose) : d(std::move(config)), choose_(std::move(choose)) {
        d.print = ClientDriver::Print::nothing;
        for (const char* topic : {"a", "b", "b", "realtime:c"}) channels_.push_back(d.add(topic));
        channels_.push_back(d.add_asking("d"));
        channels_.push_back(d.add("bad", "{"));
    }

    void step() {
        switch (choose_(24)) {
        case 0: d.connect(); break;
        case 1:
            if (choose_(8) == 0) d.disconnect();
            break;
        case 2: d.reconnect_now(); break;
        case 3:
        case 4: d.join(channel(), timeout()); break;
        case 5:
        case 6: pushes_.push_back(d.push(channel(), "event", payload(), timeout())); break;
        case 7: (void)d.send(channel(), "cursor", payload()); break;
        case 8: d.leave(channel(), timeout()); break;
        case 9: pushes_.push_back(d.ping(timeout())); break;
        case 10: cancel(); break;
        case 11: replace_channel(); break;
        case 12: d.prepared(prepared()); break;
        case 13:
            d.join_payload(channel(), choose_(4) == 0 ? Result<std::string>(fail(Errc::bad_auth, "no"))
                                                      : Result<std::string>(std::string(payload())));
            break;
        case 14:
        case 15: d.opened(); break;
        case 16:
            if (choose_(4) == 0) d.closed();
            break;
        case 17: server_event(); break;
        case 18: d.timeout(); break;
        case 19:
        case 20: advance(Duration(static_cast<Duration::rep>(choose_(4'000'000)))); break;
        case 21: d.pass(Duration(static_cast<Duration::rep>(choose_(2'000'000)))); break;
        default: answer(); break;
        }
        PHX_CHECK(d.sent.size() < 10'000, "too much was sent by one call");
        if (d.sent.size() > 200) d.sent.erase(d.sent.begin(), d.sent.begin() + 100);
    }

    /// The end of every run: whatever was left open finishes with the disconnect, and then nothing moves any
    /// more.
    void finish() {
        d.disconnect();
        d.closed();
        d.expect_all_finished();
        PHX_CHECK(d.machine.state() == SocketState::idle, "disconnected but not idle");
        PHX_CHECK(!d.machine.next_timeout(), "an idle machine has a timer");
        const std::size_t outputs = d.outputs;
        d.pass(std::chrono::hours(1));
        d.timeout();
        PHX_CHECK(d.outputs == outputs, "an idle machine put something out");
    }

    ClientDriver d;

private:
    ChannelId channel() { return channels_[choose_(channels_.size())]; }
    Duration timeout() {
        return choose_(2) == 0 ? Duration{0} : Duration(static_cast<Duration::rep>(choose_(3'000'000)));
    }
    std::string_view payload() {
        constexpr std::string_view payloads[] = {"{}", R"({"n":1})", "", "[1,2,3]", "no json"};
        return payloads[choose_(std::size(payloads))];
    }
    Result<Target> prepared() {
        if (choose_(4) == 0) return fail(Errc::bad_auth, "no token");
        return Target{"ws://host", ""};
    }

    void cancel() {
        if (!pushes_.empty()) d.cancel(pushes_[choose_(pushes_.size())]);
        if (pushes_.size() > 100) pushes_.clear();
    }

    void replace_channel() {
        if (choose_(4) != 0) return;
        const std::size_t i = choose_(channels_.size());
        const std::string topic = d.topics[channels_[i]];
        d.remove(channels_[i]);
        channels_[i] = topic == "d" ? d.add_asking(topic) : d.add(topic);
    }

    /// Fires timers at their times; a machine whose next_timeout() does not move on is caught.
    void advance(Duration wait) {
        const TimePoint end = d.now + wait;
        int turns = 0;
        for (auto due = d.machine.next_timeout(); due && *due <= end; due = d.machine.next_timeout()) {
            PHX_CHECK(++turns < 10'000, "the timer does not move on");
            d.now = std::max(d.now, *due);
            d.timeout();
        }
        d.now = end;
    }

    /// Answers a frame that was sent, perhaps one of an old connection.
    void answer() {
        if (d.sent.empty()) return;
        const std::size_t i = choose_(4) == 0 ? choose_(d.sent.size()) : d.sent.size() - 1;
        std::string scratch;
        const std::string frame = d.sent[i];
        const auto sent = decode(d.vsn, Direction::to_server, Opcode::text, frame, scratch);
        PHX_CHECK(sent.has_value(), "sent what is no frame: " + frame);
        if (!sent) return;
        std::string out;
        const bool ok = choose_(4) != 0;
        const auto opcode = build_server_reply(*sent, ok ? "ok" : "error", out);
        if (opcode) d.receive(out, *opcode);
        if (choose_(2) == 0) d.sent.erase(d.sent.begin() + static_cast<std::ptrdiff_t>(i));
    }

    Result<Opcode> build_server_reply(const FrameView& sent, std::string_view status, std::string& out) {
        return build_reply(d.vsn, {sent.topic, sent.join_ref, sent.ref}, status, Opcode::text, "{}", out);
    }

    void server_event() {
        constexpr std::string_view events[] = {"phx_error", "phx_close", "shout", "presence_diff",
                                               "phx_reply"};
        if (choose_(8) == 0) return d.receive("garbage", choose_(2) == 0 ? Opcode::text : Opcode::binary);
        const std::string ref = "\"" + std::to_string(choose_(50)) + "\"";
        std::optional<JsonToken> join_ref = JsonToken{choose_(2) == 0 ? "null" : std::string_view(ref)};
        std::string out;
        const auto opcode = build_server_push(d.vsn, {d.topics[channel()], join_ref, JsonToken{"null"}},
                                              events[choose_(std::size(events))], Opcode::text, "{}", out);
        if (opcode) d.receive(out, *opcode);
    }

    Choose choose_;
    std::vector<ChannelId> channels_;
    std::vector<PushId> pushes_;
};

} // namespace phx::protocol::testing
