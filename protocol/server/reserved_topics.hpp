#pragma once

#include <string_view>

namespace phx::protocol::server {

/// Where what is sent to a user, a role, a connection or all arrives at those who have joined it.
inline constexpr std::string_view inbox_topic = "realtime:$inbox";
/// Where the status page has its figures from.
inline constexpr std::string_view status_topic = "realtime:$status";

/// Whether clients only listen there.
constexpr bool is_reserved_topic(std::string_view topic) noexcept {
    return topic == inbox_topic || topic == status_topic;
}

} // namespace phx::protocol::server
