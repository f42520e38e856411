#pragma once

#include "phx/server/server.hpp"
#include "protocol/server/reserved_topics.hpp"

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

using protocol::server::status_topic;

/// The channel behind the page: who may, joins it, and gets the event "status" at once and then every second.
/// Both functions are called inside the handlers.
phx::server::Handlers status_channel(std::function<bool(const phx::server::Connection&)> may_watch,
                                     std::function<StatusReport()> report);

/// The page, for a server whose WebSockets connect to `socket_path`.
std::string status_page(std::string_view socket_path);

} // namespace phx::shell
