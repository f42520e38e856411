#pragma once

#include <libwebsockets.h>

// What the streams of client and server share: libwebsockets carries their sockets and knows no protocol of
// them.
namespace phx::shell {

/// Whether a callback is about a connection; others are of the vhost.
inline bool is_of_connection(lws_callback_reasons reason) noexcept {
    return reason == LWS_CALLBACK_RAW_ADOPT || reason == LWS_CALLBACK_RAW_RX ||
           reason == LWS_CALLBACK_RAW_WRITEABLE || reason == LWS_CALLBACK_RAW_CLOSE;
}

/// A vhost of this one protocol (and the empty one that ends the list) for sockets that are handed over; null
/// if out of memory.
inline lws_vhost* create_raw_vhost(lws_context* context, const lws_protocols* protocols) {
    lws_context_creation_info info{};
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.vhost_name = protocols->name;
    info.protocols = protocols;
    return lws_create_vhost(context, &info);
}

/// Takes the descriptor in any case. False if libwebsockets has no room for it.
inline bool adopt_raw(lws_vhost* vhost, int descriptor, const char* protocol_name, void* stream) {
    lws_adopt_desc_t info{};
    info.vh = vhost;
    info.type = LWS_ADOPT_SOCKET; // not LWS_ADOPT_HTTP: raw
    info.fd.sockfd = descriptor;
    info.vh_prot_name = protocol_name;
    info.opaque = stream;
    return lws_adopt_descriptor_vhost_via_info(&info) != nullptr;
}

} // namespace phx::shell
