#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace phx::protocol::realtime {

/// When a JWT says that its time is over, in seconds of unix time; none where it does not say so in a way
/// that can be read. Nothing is verified: that is the server's.
std::optional<std::int64_t> token_expiry(std::string_view token);

} // namespace phx::protocol::realtime
