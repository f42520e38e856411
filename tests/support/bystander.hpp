#pragma once

#include "tests/support/ws_client.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace phx::test {

/// A client that behaves, while others do not: on a thread of its own it pushes to `room:bystander` and waits
/// for the answer, again and again. The server must echo there.
class Bystander {
public:
    explicit Bystander(std::uint16_t port) : client_(port) {
        if (client_.call(R"(["1","1","room:bystander","phx_join",{}])").find("\"ok\"") == std::string::npos)
            throw std::runtime_error("the bystander may not join");
        thread_ = std::thread([this] { go_on(); });
    }
    ~Bystander() { stop(); }
    Bystander(const Bystander&) = delete;
    Bystander& operator=(const Bystander&) = delete;

    /// Ends it. Every push was answered, and soon; how soon is printed. The bound is a generous one: the
    /// machine may be busy with other things.
    void expect_undisturbed() {
        constexpr std::chrono::seconds bound(5);
        stop();
        EXPECT_EQ(complaint_, "");
        std::sort(times_.begin(), times_.end());
        // By nearest rank.
        const auto us_at = [this](std::size_t percent) {
            return std::to_string(times_.at((times_.size() * percent + 99) / 100 - 1).count()) + " us";
        };
        std::cout << "             bystander: " << times_.size() << " round trips, p50 " << us_at(50)
                  << ", p99 " << us_at(99) << ", longest " << us_at(100) << '\n';
        EXPECT_LT(times_.back(), bound);
    }

private:
    using Time = std::chrono::microseconds;

    void go_on() {
        const std::string push = R"(["1","2","room:bystander","echo",{"a":1}])";
        const std::string reply =
            R"(["1","2","room:bystander","phx_reply",{"status":"ok","response":{"a":1}}])";
        try {
            do {
                const auto start = std::chrono::steady_clock::now();
                if (client_.call(push) != reply) throw std::runtime_error("another answer");
                times_.push_back(std::chrono::duration_cast<Time>(std::chrono::steady_clock::now() - start));
                // A pause, in which nothing may come.
                if (client_.tcp().is_readable(std::chrono::milliseconds(1)))
                    throw std::runtime_error("something that nobody asked for");
            } while (!is_over_);
        } catch (const std::exception& error) {
            complaint_ = error.what();
            times_.emplace_back(0);
        }
    }
    void stop() {
        is_over_ = true;
        if (thread_.joinable()) thread_.join();
    }

    WsClient client_;
    std::atomic<bool> is_over_{false};
    std::vector<Time> times_;
    std::string complaint_;
    std::thread thread_;
};

/// Waits until it holds, for at most ten seconds; whether it does.
template <class Condition> bool eventually(Condition&& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace phx::test
