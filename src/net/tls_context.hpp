#pragma once

#include "phx/network_options.hpp"
#include "phx/result.hpp"

#include <memory>
#include <utility>
#include <vector>

struct ssl_ctx_st;

namespace phx::shell {

using TlsContext = std::shared_ptr<ssl_ctx_st>;

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
