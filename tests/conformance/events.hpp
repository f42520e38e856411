#pragma once

#include "phx/server/handlers.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

namespace phx::conformance {

/// The payload as JSON. Throws for a binary one: the recorded handlers have no clause for it, which is a
/// crash.
nlohmann::json json_of(server::PayloadView payload);
/// `ms` of a payload.
std::chrono::milliseconds milliseconds_of(const nlohmann::json& payload);

/// Throws for an event that the application does not know.
server::Actions handle_in(const server::Context&, std::string_view event, server::PayloadView);
/// Adds to an intercepted broadcast who sees it.
server::Actions handle_out(const server::Context&, std::string_view event, server::PayloadView);
/// The answer to `slow` and `slow_block`.
server::Actions handle_info(const server::Context&, std::string_view info);

} // namespace phx::conformance
