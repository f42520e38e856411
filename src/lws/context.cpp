#include "src/lws/context.hpp"

#include <libwebsockets.h>

#include <mutex>
#include <system_error>
#include <unistd.h>
#include <uv.h>

namespace phx::shell {
namespace {

/// libwebsockets logs to stderr by itself; what matters reaches the user as an Error.
void silence_library() {
    static std::once_flag once;
    std::call_once(once, [] { lws_set_log_level(0, nullptr); });
}

/// As many entries as lws_create_context() gives its table of descriptors, which it never makes larger.
int table_size() {
    constexpr long most = 10'000'000, for_more = 2560; // lib/core/context.c of 4.1.6
    const long limit = sysconf(_SC_OPEN_MAX);
    return static_cast<int>(limit < 0 || limit > most ? for_more : limit);
}

} // namespace

LwsContext::LwsContext(uv_loop_s* loop) : descriptor_limit_(table_size()) {
    silence_library();
    void* loops[1] = {loop};
    lws_context_creation_info info{};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    info.foreign_loops = loops;
    info.pt_serv_buf_size = lws_buffer_bytes;
    info.pcontext = &context_; // cleared when the context is gone
    context_ = lws_create_context(&info);
    if (!context_) {
        throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                                "libwebsockets cannot start: out of file descriptors, or its libuv plugin "
                                "(Debian: libwebsockets-evlib-uv) is missing");
    }
}

bool LwsContext::service_buffered() {
    // Debian's 4.1.6 stops serving buffered input after one round under libuv (fixed in 4.3.3), so that the
    // rest of a TLS record or of an inflated message waits for ever.
    constexpr int rounds = 8; // of at most 64 kB each, then it is the turn of the others
    for (int i = 0; i < rounds; ++i) {
        if (lws_service_adjust_timeout(context_, 1, 0) != 0) return false;
        _lws_plat_service_forced_tsi(context_, 0);
    }
    return lws_service_adjust_timeout(context_, 1, 0) == 0;
}

void LwsContext::close_soon(lws* wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
    lws_cancel_service(lws_get_context(wsi)); // an event of its own
}

void LwsContext::destroy() { lws_context_destroy(context_); }

LwsContext::~LwsContext() {
    // 4.1.6 on a foreign libuv loop closes everything, but frees nothing until it is asked again.
    if (context_) lws_context_destroy(context_);
}

} // namespace phx::shell
