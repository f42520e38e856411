#pragma once

#include "phx/server/token.hpp"
#include "tools/phx-server/listen_address.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace phx::tools {

enum class Authentication : std::uint8_t { required, none };
enum class Verbosity : std::uint8_t { own_faults, clients_faults_too };

struct ServeOptions {
    std::string program = "phx-server"; ///< begins every line on stderr
    ListenAddress listen = {};
    Authentication authentication = Authentication::required; ///< none: not even where there are tokens
    std::optional<phx::server::TokenOptions> tokens = {};
    Verbosity verbosity = Verbosity::own_faults;
};

/// The program `phx-server`: `realtime:*` and the echo channel, until SIGINT or SIGTERM, which close every
/// connection with 1012. Prints "listening on HOST:PORT" to stdout once it serves, everything else to stderr.
/// Returns the exit code: 0 stopped by a signal, 1 cannot serve, 2 refused by what the options say. Call it
/// on the main thread, before there are others: they inherit its blocked signals.
int serve(const ServeOptions&);

} // namespace phx::tools
