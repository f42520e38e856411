#pragma once

#include "phx/function.hpp"

#include <cstdint>
#include <string_view>

namespace phx {

enum class LogLevel : std::uint8_t {
    trace,   ///< every frame: topic, event and size, never its payload
    debug,   ///< heartbeats, finished pushes, what was dropped
    info,    ///< connections and channels that come and go
    warning, ///< what failed and is tried again
    error,   ///< what is not tried again
};

/// Takes one line without a newline, on the loop thread. Lines never hold tokens, params or payloads.
using Logger = Function<void(LogLevel, std::string_view line)>;

} // namespace phx
