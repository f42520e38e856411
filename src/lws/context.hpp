#pragma once

#include "phx/export.hpp"
#include "phx/options.hpp"
#include "phx/result.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct lws;
struct lws_context;
struct lws_vhost;
struct uv_loop_s;
struct ssl_ctx_st;

namespace phx::shell {

/// What libwebsockets reads at once, and where it builds requests.
inline constexpr unsigned lws_buffer_bytes = 64 * 1024;

/// The libwebsockets context of a loop and its vhosts for clients. Loop thread only, but for construction.
class LwsContext {
public:
    /// Throws std::system_error.
    explicit LwsContext(uv_loop_s* loop);
    /// REQUIRES destroy() and then libuv's loop to have run until it had nothing left.
    ~LwsContext();
    LwsContext(const LwsContext&) = delete;
    LwsContext& operator=(const LwsContext&) = delete;

    lws_context* get() const noexcept { return context_; }

    /// The vhost of clients with these TLS settings; made once and kept as long as the context, because trust
    /// is a property of the vhost and its TLS context is worth sharing. Errors: tls_failed (a file cannot be
    /// read, or its key is encrypted).
    Result<lws_vhost*> client_vhost(const TlsOptions&, bool tls);

    /// Handles input that libwebsockets has buffered and libuv does not know of. True if some is left: do not
    /// block.
    bool service_buffered();
    /// Closes a connection, from wherever it is called, and drops what it has not written. libwebsockets
    /// alone would do so only after the next event of a socket of its own: under libuv nothing else looks at
    /// its timers.
    static PHX_API void close_soon(lws*); // internal, shared with phx_server
    /// From inside a callback of the loop.
    void destroy();

private:
    lws_context* context_ = nullptr;
    std::vector<std::pair<std::string, lws_vhost*>> client_vhosts_;
    std::vector<std::shared_ptr<ssl_ctx_st>> tls_contexts_; // of client_vhosts_
};

} // namespace phx::shell
