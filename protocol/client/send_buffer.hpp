#pragma once

#include "phx/protocol/frame.hpp"
#include "protocol/client/outputs.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace phx::protocol {

struct BufferedPush {
    PushId id{};
    std::string event = {};
    Opcode kind = Opcode::text;
    std::string payload = {};
    std::optional<std::string> user_event = {};

    BufferedPush(PushId push, const PushContent& content)
        : id(push), event(content.event), kind(content.kind), payload(content.payload),
          user_event(content.user_event) {}
    PushContent content() const noexcept { return {event, kind, payload, user_event}; }
    std::size_t bytes() const noexcept { return content().bytes(); }
};

/// What waits for the join of its channel, in order, bounded by number and bytes.
class SendBuffer {
public:
    SendBuffer(std::size_t max_pushes, std::size_t max_bytes)
        : max_pushes_(max_pushes), max_bytes_(max_bytes) {}

    /// Whether it fits beside what is in here.
    bool fits(std::size_t bytes) const noexcept;
    /// Whether it would fit if nothing else were in here.
    bool could_fit(std::size_t bytes) const noexcept { return max_pushes_ > 0 && bytes <= max_bytes_; }

    /// REQUIRES fits(push.bytes()) and an id above those in here.
    void add(BufferedPush push);
    /// REQUIRES !empty()
    BufferedPush take_front();
    /// No-op if it is not in here.
    void remove(PushId);

    bool empty() const noexcept { return pushes_.empty(); }
    std::size_t size() const noexcept { return pushes_.size(); }
    std::size_t bytes() const noexcept { return bytes_; }

private:
    std::size_t max_pushes_;
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<BufferedPush> pushes_;
};

} // namespace phx::protocol
