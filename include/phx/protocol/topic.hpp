#pragma once

#include "phx/export.hpp"

#include <string>
#include <string_view>

namespace phx::protocol {

inline constexpr std::string_view realtime_prefix = "realtime:";

/// The Supabase topic of a channel name: "lobby" becomes "realtime:lobby"; a topic that has the prefix stays
/// as it is.
PHX_API std::string realtime_topic(std::string_view name);

/// Whether `topic` belongs to `pattern`: equal, or the pattern ends in `*` and the topic begins with what is
/// before it (Phoenix `channel "room:*"`).
PHX_API bool topic_matches(std::string_view pattern, std::string_view topic) noexcept;

} // namespace phx::protocol
