#pragma once

#include "phx/server/server.hpp"
#include "src/lws/server_stream.hpp"

#include <string>
#include <vector>

/// What of the options can be wrong, before and while the server runs.
namespace phx::shell {

/// Errors: invalid_argument, for one that is no origin.
Result<void> check_origins(const std::vector<std::string>&);
/// Errors: invalid_argument, for a pattern whose `{sub}` does not stand alone.
Result<void> check_policies(const std::vector<phx::server::Policy>&);
/// What needs neither files nor addresses. Errors: invalid_argument.
Result<void> check_values(const phx::server::Options&);
/// Reads the files. Errors: tls_failed.
Result<TlsContext> make_tls(const phx::server::TlsCertificate&);

} // namespace phx::shell
