#pragma once

#include "phx/export.hpp"
#include "src/net/tls_context.hpp"

struct lws;
struct lws_context;
struct lws_vhost;
struct uv_loop_s;

namespace phx::shell {

/// What libwebsockets reads at once.
inline constexpr unsigned lws_buffer_bytes = 64 * 1024;

/// The libwebsockets context of a loop, and what its clients share. Loop thread only, but for construction.
class LwsContext {
public:
    /// Throws std::system_error.
    explicit LwsContext(uv_loop_s* loop);
    /// REQUIRES destroy() and then libuv's loop to have run until it had nothing left.
    ~LwsContext();
    LwsContext(const LwsContext&) = delete;
    LwsContext& operator=(const LwsContext&) = delete;

    lws_context* get() const noexcept { return context_; }
    /// Descriptors from here on must not be given to libwebsockets: 4.1.6 would write outside of its table.
    int descriptor_limit() const noexcept { return descriptor_limit_; }

    /// The vhost that connected sockets of clients are given to; null if out of memory.
    lws_vhost* client_vhost();
    TlsContexts& tls() noexcept { return tls_; }

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
    const int descriptor_limit_;
    lws_context* context_ = nullptr;
    lws_vhost* client_vhost_ = nullptr;
    TlsContexts tls_;
};

} // namespace phx::shell
