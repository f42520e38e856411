#pragma once

#include "phx/server/server.hpp"

#include <string>

namespace phx::shell {

/// What GET /metrics answers: Prometheus' text format, version 0.0.4.
std::string metrics_text(const phx::server::Stats&);

} // namespace phx::shell
