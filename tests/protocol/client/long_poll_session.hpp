#pragma once

#include "protocol/client/long_poll.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace phx::protocol {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
using long_poll::Lane;

inline LongPollConfig local(std::string auth_token = {}) {
    LongPollConfig config;
    config.url = *parse_url("http://localhost/socket/longpoll?vsn=2.0.0");
    config.auth_token = std::move(auth_token);
    return config;
}

/// A machine and what it put out, as lines; the latest request of each lane is kept.
struct Session {
    explicit Session(LongPollConfig config = local()) : machine(std::move(config)) {}

    void drain() {
        while (auto report = machine.poll()) {
            std::visit([this](auto& what) { note(what); }, *report);
        }
    }
    void note(long_poll::Request& request) {
        lines.push_back(std::string(request.method) + ' ' + request.target +
                        (request.body.empty() ? "" : ' ' + request.body));
        requests[request.lane == Lane::push] = std::move(request);
    }
    void note(const long_poll::Drop& drop) {
        lines.push_back(drop.lane == Lane::poll ? "drop poll" : "drop push");
    }
    void note(const long_poll::Opened&) { lines.emplace_back("opened"); }
    void note(const long_poll::Message& message) {
        lines.push_back("message " + std::string(message.text));
        if (on_message) on_message();
    }
    void note(const long_poll::Closed& closed) {
        how = closed.how;
        lines.push_back("closed " + std::to_string(how.code) + ' ' + how.reason);
    }
    Lines take() { return std::exchange(lines, {}); }

    void start() { machine.open(now), drain(); }
    void open() { start(), answer(Lane::poll, R"({"status":410,"token":"T","messages":[]})"), lines.clear(); }
    void answer(Lane lane, std::string body, int status = 200) {
        machine.handle_answer(now, lane, HttpResponse{.status = status}, std::move(body));
        drain();
    }
    void send(const std::string& text) { ASSERT_TRUE(machine.send(Opcode::text, text)); }
    void flush() { machine.flush(now), drain(); }
    void pass(Duration time) { machine.handle_timeout(now += time), drain(); }

    TimePoint now{};
    LongPollMachine machine;
    Lines lines;
    long_poll::Request requests[2];
    CloseInfo how;
    std::function<void()> on_message;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

inline constexpr const char* poll_line = "GET /socket/longpoll?vsn=2.0.0&token=T";
inline const std::string push_line = "POST /socket/longpoll?vsn=2.0.0&token=T ";

} // namespace phx::protocol
