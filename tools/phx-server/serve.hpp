#pragma once

#include "tools/phx-server/config.hpp"

#include <functional>
#include <optional>
#include <string>

namespace phx::tools {

struct ServeOptions {
    std::string program = "phx-server"; ///< begins the line on stderr that says why it does not start
    Config config = {};
    /// Reads the configuration again, at SIGHUP. None: SIGHUP ends the program.
    std::function<ConfigRead()> reread = {};
};

/// Why nothing would be served with it, though it is in order: nobody says who may connect.
std::optional<std::string> why_refused(const Config&);

/// The program `phx-server`: `realtime:*` and the echo channel, until SIGINT or SIGTERM, which close every
/// connection with 1012; a second one ends it at once. Prints "listening on HOST:PORT" to stdout once it
/// serves, its log to stderr. Returns the exit code: 0 stopped by a signal, 1 cannot serve, 2 refused by what
/// the config says. Call it on the main thread, before there are others: they inherit its blocked signals.
int serve(const ServeOptions&);

} // namespace phx::tools
