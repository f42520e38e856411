#pragma once

#include "phx/export.hpp"
#include "phx/network_options.hpp"
#include "phx/result.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct ssl_ctx_st;

namespace phx::shell {

using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// Of a server: its certificate with its chain, and its key (empty: it is in `cert_file`). Speaks http/1.1
/// alone (ALPN). Any thread. Exported for phx_server.
///
/// Errors: tls_failed (a file cannot be read, its key is encrypted or of another certificate).
PHX_API Result<TlsContext> make_server_tls_context(const std::string& cert_file, const std::string& key_file,
                                                   TlsVersion min_version);

/// The TLS contexts of a loop's clients: reading the authorities of the system takes milliseconds, so what
/// was made for some options is kept for the next connection with equal ones. Loop thread only.
class TlsContexts {
public:
    /// Errors: tls_failed (a file cannot be read or written, or its key is encrypted).
    Result<TlsContext> get(const TlsOptions&);

private:
    static constexpr std::size_t max_kept = 16; // programs that change certificates make new ones for ever
    std::vector<std::pair<TlsOptions, TlsContext>> kept_; // the oldest first
};

} // namespace phx::shell
