#pragma once

#include "phx/server/server.hpp"

#include <functional>
#include <string>
#include <vector>

namespace phx::shell {

/// What the status page shows of a moment.
struct StatusReport {
    phx::server::Stats stats = {};
    std::vector<phx::server::TopicCount> topics = {}; ///< some of them
    std::chrono::milliseconds uptime{0};
};

inline constexpr const char* status_topic = "realtime:$status";

/// The channel behind the page: who has the role (empty: everybody) joins it, and gets the event "status" at
/// once and then every second. `report` is called inside the handlers.
phx::server::Handlers status_channel(std::string role, std::function<StatusReport()> report);

/// The page, for a server whose WebSockets connect to `socket_path`.
std::string status_page(std::string_view socket_path);

} // namespace phx::shell
