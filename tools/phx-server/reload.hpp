#pragma once

#include "phx/server/server.hpp"
#include "tools/phx-server/config.hpp"

namespace phx::tools {

/// Carries out what can change while the server runs, and logs what came of it. With faults nothing changes.
void reload(server::Server&, Log&, Config& running, const ConfigRead& wanted);

} // namespace phx::tools
