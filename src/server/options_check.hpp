#pragma once

#include "phx/server/server.hpp"
#include "src/lws/server_stream.hpp"

#include <string>
#include <vector>

/// What of the options can be wrong, before and while the server runs.
namespace phx::shell {

/// Errors: invalid_argument, for one that is no origin.
Result<void> check_origins(const std::vector<std::string>&);
/// Reads the files. Errors: tls_failed.
Result<TlsContext> make_tls(const phx::server::TlsCertificate&);

} // namespace phx::shell
