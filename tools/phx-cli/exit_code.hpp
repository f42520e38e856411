#pragma once

#include "phx/error.hpp"

namespace phx::cli {

/// Exit codes; scripts depend on them, `phx-cli --help` lists them.
enum class ExitCode : int {
    ok = 0,
    failure = 1,
    usage = 2,
    network = 3, ///< not reached: name, address, TLS, connection lost
    refused = 4, ///< HTTP 401 or 403
    join_refused = 5,
    error_reply = 6,
    timeout = 7,
    closed_by_server = 8,
    interrupted = 130,
};

inline ExitCode exit_code_of(const Error& error) {
    if (error.code == Errc::timeout) return ExitCode::timeout;
    if (error.code == Errc::rejected) return ExitCode::error_reply;
    if (error.code == Errc::join_refused) return ExitCode::join_refused;
    if (error.code == Errc::bad_auth) return ExitCode::refused;
    if (error.code == Errc::channel_closed || error.code == Errc::server_closed)
        return ExitCode::closed_by_server;
    if (error.code == Errc::connect_failed || error.code == Errc::tls_failed ||
        error.code == Errc::upgrade_refused || error.code == Errc::disconnected ||
        error.code == Errc::heartbeat_lost) {
        return ExitCode::network;
    }
    if (error.code == Errc::invalid_argument) return ExitCode::usage;
    return ExitCode::failure;
}

} // namespace phx::cli
