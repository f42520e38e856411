#include "src/lws/client_stream.hpp"

#include "src/lws/context.hpp"
#include "src/lws/raw_role.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace phx::shell {
namespace {

constexpr const char* protocol_name = "phx-client";

} // namespace

struct ClientStreamCallbacks {
    /// What came before a reset. libuv reports the error of the socket only, and libwebsockets then reads no
    /// more: the reason that a server gave before it crashed or hung up on what we wrote would be lost.
    static void read_rest(int descriptor, ClientStream::Listener& listener) {
        std::array<char, 16u << 10> bytes;
        constexpr int most_rounds = 1024; // more than a receive buffer: it is no longer what came before
        for (int round = 0; round < most_rounds; ++round) {
            const auto count = ::recv(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (count <= 0) return;
            listener.stream_received({bytes.data(), static_cast<std::size_t>(count)});
        }
    }

    static int handle(lws* wsi, lws_callback_reasons reason, void* /*user*/, void* in, std::size_t length) {
        if (!is_of_connection(reason)) return 0;
        auto* const stream = static_cast<ClientStream*>(lws_get_opaque_user_data(wsi));
        if (!stream) return reason == LWS_CALLBACK_RAW_CLOSE ? 0 : -1; // nobody wants it any more
        if (reason == LWS_CALLBACK_RAW_ADOPT) {
            stream->wsi_ = wsi;
            return 0;
        }
        if (!stream->wsi_) return 0; // the adoption failed; adopt() says so
        if (reason == LWS_CALLBACK_RAW_CLOSE) {
            stream->wsi_ = nullptr;
            read_rest(lws_get_socket_fd(wsi), stream->listener_);
            stream->listener_.stream_ended();
            return 0;
        }
        if (reason == LWS_CALLBACK_RAW_RX) {
            stream->listener_.stream_received({static_cast<char*>(in), length});
        } else {
            stream->listener_.stream_writable();
        }
        return lws_get_opaque_user_data(wsi) ? 0 : -1; // dropped meanwhile
    }
};

lws_vhost* LwsContext::client_vhost() {
    if (client_vhost_) return client_vhost_;
    static const lws_protocols protocols[] = {
        {protocol_name, ClientStreamCallbacks::handle, 0, 0, 0, nullptr, 0},
        {nullptr, nullptr, 0, 0, 0, nullptr, 0},
    };
    return client_vhost_ = create_raw_vhost(context_, protocols);
}

Result<void> ClientStream::adopt(LwsContext& context, Descriptor socket) {
    const int limit = context.descriptor_limit();
    if (socket.get() >= limit) {
        return fail(Errc::system_failure, "the loop takes descriptors below " + std::to_string(limit) +
                                              ", the limit of open files when it was made; raise that limit "
                                              "(ulimit -n) before the loop is made");
    }
    const auto is_full = [] {
        return fail(Errc::system_failure,
                    "libwebsockets takes no more connections: out of memory or descriptors");
    };
    lws_vhost* const vhost = context.client_vhost();
    if (!vhost) return is_full();
    if (adopt_raw(vhost, socket.release(), protocol_name, this)) return {};
    wsi_ = nullptr;
    return is_full();
}

void ClientStream::dial(VirtualSystem& system, Function<void(bool is_accepted)> connected) {
    virtual_ = system.dial();
    virtual_->attach({.connected = std::move(connected),
                      .received = [this](std::span<char> bytes) { listener_.stream_received(bytes); },
                      .ended = [this] { listener_.stream_ended(); }});
}

std::size_t ClientStream::write(std::string_view bytes) {
    if (virtual_) {
        virtual_->write(bytes);
        return bytes.size();
    }
    std::size_t written = 0;
    while (wsi_ && written < bytes.size()) {
        // Not lws_write(): what the system does not take it would copy, and read nothing until that is out,
        // so that two ends that both write much would wait for each other.
        const auto sent = ::send(lws_get_socket_fd(wsi_), bytes.data() + written, bytes.size() - written,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            written += static_cast<std::size_t>(sent);
        } else if (errno != EINTR) {
            if (errno == EAGAIN) lws_callback_on_writable(wsi_);
            break;
        }
    }
    return written;
}

void ClientStream::drop() {
    virtual_.reset();
    if (!wsi_) return;
    lws* const wsi = std::exchange(wsi_, nullptr);
    lws_set_opaque_user_data(wsi, nullptr);
    LwsContext::close_soon(wsi);
}

} // namespace phx::shell
