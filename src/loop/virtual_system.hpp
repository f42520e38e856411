#pragma once

#include "phx/function.hpp"
#include "protocol/clock.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace phx::shell {

/// One end of a connection in a virtual network. Its end lets go of the connection: the other one gets what
/// was written, and then hears of it.
class VirtualStream {
public:
    /// Called by the clock alone, never from within a call; may end the stream.
    struct User {
        Function<void(bool is_accepted)> connected = {}; ///< of who dialled; false is the last call
        Function<void(std::span<char>)> received = {};   ///< may be changed in place
        Function<void()> ended = {};                     ///< the last call
    };

    virtual ~VirtualStream() = default;
    /// Before anything can happen: in the call that gave the stream.
    virtual void attach(User) = 0;
    /// Takes all of it.
    virtual void write(std::string_view) = 0;
};

/// What a loop lives on in place of the system's clock, timers, random device and network: src/testing.
/// Loop thread only.
class VirtualSystem {
public:
    virtual ~VirtualSystem() = default;
    virtual protocol::TimePoint now() const noexcept = 0;
    /// Calls the task then; those of one instant in the order in which they were given.
    virtual void at(protocol::TimePoint, std::function<void()> task) = 0;
    /// When the next task is due.
    virtual std::optional<protocol::TimePoint> next() const = 0;
    /// Lets time pass until the next task and runs it. False if there is none up to `until`: time stands.
    virtual bool run_next(protocol::TimePoint until) = 0;
    virtual void fill_random(std::span<std::byte>) = 0;
    virtual std::unique_ptr<VirtualStream> dial() = 0;
};

} // namespace phx::shell
