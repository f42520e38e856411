#pragma once

#include "protocol/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace phx::shell {

/// What a connection has to do in time. Each has one duration for all connections, so that the order in which
/// they are set is the order in which they pass.
enum class DeadlineKind : std::uint8_t { request, write, close, poll, count_ };

class Deadlines;

/// The one deadline of a connection; it is forgotten by its destructor.
class Deadline {
public:
    Deadline() = default;
    virtual ~Deadline() { clear(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    /// It has passed.
    virtual void handle_deadline() {}
    void clear() noexcept;
    bool is_set(DeadlineKind kind) const noexcept { return owner_ != nullptr && kind_ == kind; }
    /// Of what is set, or has passed.
    DeadlineKind kind() const noexcept { return kind_; }

private:
    friend class Deadlines;
    Deadlines* owner_ = nullptr;
    DeadlineKind kind_ = DeadlineKind::request;
    protocol::TimePoint at_{};
    Deadline* previous_ = nullptr;
    Deadline* next_ = nullptr;
};

/// Thousands of deadlines, each set and cleared in constant time: a queue for every kind. (libwebsockets' own
/// sorted list is walked from its head for every insertion.)
class Deadlines {
public:
    void set_duration(DeadlineKind kind, protocol::Duration duration) { queue(kind).duration = duration; }
    /// Replaces what was set.
    void set(Deadline&, DeadlineKind, protocol::TimePoint now);
    std::optional<protocol::TimePoint> next() const noexcept;
    /// Takes one that has passed; null when there is none.
    Deadline* pop(protocol::TimePoint now) noexcept;

private:
    friend class Deadline;
    struct Queue {
        protocol::Duration duration{0};
        Deadline* first = nullptr;
        Deadline* last = nullptr;
    };
    Queue& queue(DeadlineKind kind) noexcept { return queues_[static_cast<std::size_t>(kind)]; }
    void unlink(Deadline&) noexcept;

    std::array<Queue, static_cast<std::size_t>(DeadlineKind::count_)> queues_{};
};

} // namespace phx::shell
