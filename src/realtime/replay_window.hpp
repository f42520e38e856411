#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>

namespace phx::shell {

/// What came last, so that a replay can begin there and bring nothing twice.
class ReplayWindow {
public:
    using Time = std::chrono::system_clock::time_point;

    void note_alive(Time now) { last_ = now; }
    /// False if a message with this id came already.
    bool note_message(std::string id) {
        if (id.empty()) return true;
        if (!known_.insert(id).second) return false;
        order_.push_back(std::move(id));
        if (order_.size() > max_ids) {
            known_.erase(order_.front());
            order_.pop_front();
        }
        return true;
    }
    /// Unix time in ms; none before anything was heard. The clocks of database and client may differ.
    std::optional<std::int64_t> since() const {
        if (!last_) return {};
        using namespace std::chrono;
        return duration_cast<milliseconds>((*last_ - seconds(10)).time_since_epoch()).count();
    }

private:
    static constexpr std::size_t max_ids = 1024; // a replay brings 25

    std::optional<Time> last_;
    std::unordered_set<std::string> known_;
    std::deque<std::string> order_;
};

} // namespace phx::shell
