#include "src/lws/client_tunnel.hpp"

#include "protocol/wire/handshake.hpp"
#include "src/loop/random.hpp"
#include "src/lws/context.hpp"

#include <libwebsockets.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstring>
#include <openssl/ssl.h>
#include <utility>

namespace phx::shell {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_write_bytes = 256u
                                        << 10; // libwebsockets keeps and copies what the kernel does not take
constexpr auto address_patience = 2s;          // of an address that does not answer while there are others
constexpr auto probe_patience = 1s;
constexpr auto last_words = 1s; // for output that is still to be written

int tunnel_callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t size) {
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_WSI_DESTROY: {
        auto* const tunnel = static_cast<ClientTunnel*>(lws_get_opaque_user_data(wsi));
        return tunnel ? tunnel->handle_callback(wsi, reason, in, size) : -1; // nobody wants it any more
    }
    default: return 0;
    }
}

} // namespace

const lws_protocols* client_protocols() {
    static const lws_protocols list[] = {
        {"phx-tunnel", tunnel_callback, 0, 64u << 10, 0, nullptr, max_write_bytes},
        {nullptr, nullptr, 0, 0, 0, nullptr, 0},
    };
    return list;
}

ClientTunnel::ClientTunnel(LoopCore& loop, Listener& listener)
    : loop_(loop), listener_(listener), resolver_(loop), probe_(loop), patience_(loop, [this] {
          if (is_closing_) return end({});
          if (state_ == State::diagnosing) return end_unconnected({});
          if (state_ == State::refused) return abort();
          if (state_ != State::connecting) return;
          drop_wsi();
          dial_next_or_end();
      }) {}

ClientTunnel::~ClientTunnel() { drop_wsi(); }

std::string ClientTunnel::place() const {
    const bool is_ipv6 = target_.url.host.find(':') != std::string::npos;
    return (is_ipv6 ? '[' + target_.url.host + ']' : target_.url.host) + ':' +
           std::to_string(target_.url.port);
}

void ClientTunnel::open(TunnelTarget target) {
    assert(state_ == State::idle);
    target_ = std::move(target);
    std::array<std::uint8_t, 16> random{};
    fill_random(std::span(random));
    key_ = protocol::websocket_key(random);
    state_ = State::resolving;
    resolver_.resolve(target_.url.host, [this](Result<std::vector<std::string>> addresses) {
        handle_addresses(std::move(addresses));
    });
}

void ClientTunnel::handle_addresses(Result<std::vector<std::string>> addresses) {
    if (state_ != State::resolving) return;
    if (!addresses) return end({.error = std::move(addresses).error()});
    addresses_ = std::move(*addresses);
    dial();
}

/// Dials the next address.
void ClientTunnel::dial() {
    auto vhost = loop_.context().client_vhost(target_.tls, target_.url.tls);
    if (!vhost) return end({.error = std::move(vhost).error()});
    const std::string& address = addresses_[next_address_++];
    const std::string& name = verified_name();

    lws_client_connect_info info{};
    info.context = loop_.lws();
    info.vhost = *vhost;
    info.address = address.c_str();
    info.port = target_.url.port;
    info.path =
        "/"; // append_request() writes the real one: this buffer is limited to 2 kB, tokens are longer
    info.host = name.c_str(); // of the certificate
    info.method = "GET";      // so it stays HTTP, with a WebSocket upgrade of our own
    info.alpn = "http/1.1";
    info.local_protocol_name = "phx-tunnel";
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    if (target_.url.tls) {
        info.ssl_connection |= LCCSCF_USE_SSL;
        if (!target_.tls.verify_peer) {
            info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK |
                                   LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
        } else if (is_cut_by_library(name)) {
            info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK; // append_request() checks it
        }
    }
    info.opaque_user_data = this;

    state_ = State::connecting;
    if (next_address_ < addresses_.size()) {
        patience_.arm(loop_.now() + address_patience);
    } else {
        patience_.arm({});
    }
    is_in_dial_ = true;
    lws* const wsi = lws_client_connect_via_info(&info);
    is_in_dial_ = false;
    wsi_ = wsi;
    if (!wsi && state_ == State::connecting) dial_next_or_end();
}

/// libwebsockets does not say why a connect failed: a probe of the last address does.
void ClientTunnel::dial_next_or_end() {
    if (next_address_ < addresses_.size()) return dial();
    state_ = State::diagnosing;
    patience_.arm(loop_.now() + probe_patience);
    probe_.start(addresses_.back(), target_.url.port,
                 [this, alive = std::weak_ptr<bool>(alive_)](const std::string& why) {
                     if (!alive.expired()) end_unconnected(why);
                 });
}

void ClientTunnel::end_unconnected(std::string_view why) {
    if (state_ != State::diagnosing) return;
    const std::string cause(why.empty() ? "no answer" : why);
    const bool is_name = addresses_.back() != target_.url.host;
    end({.error = fail(Errc::connect_failed,
                       "cannot connect to " + place() +
                           (is_name ? " (" + addresses_.back() + ")" : std::string{}) + ": " + cause +
                           "; check address, port and network, and that the server runs",
                       Origin::transport)
                      .error});
}

int ClientTunnel::handle_callback(lws* wsi, int reason, void* in, std::size_t size) {
    if (state_ == State::ended) return -1;
    if (!wsi_) wsi_ = wsi;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return append_request(static_cast<char**>(in), size);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP: return handle_response(wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP: {
        char* buffer = nullptr; // libwebsockets' own
        int length = 0;
        if (lws_http_client_read(wsi, &buffer, &length) < 0) return -1;
        break;
    }
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ: handle_bytes(static_cast<char*>(in), size); break;
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE: flush(); break;
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP: return handle_end(), -1;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        handle_failure(wsi, in ? std::string_view(static_cast<const char*>(in),
                                                  strnlen(static_cast<const char*>(in), size))
                               : std::string_view{});
        break;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        if (is_in_dial_) {
            wsi_ = nullptr; // connect will say so itself
        } else {
            handle_end();
        }
        break;
    default: break;
    }
    return state_ == State::ended ? -1 : 0;
}

void ClientTunnel::handle_failure(lws* wsi, std::string_view text) {
    const bool is_tcp_connected = is_request_sent_ || lws_get_ssl(wsi) != nullptr;
    lws_set_opaque_user_data(wsi, nullptr);
    wsi_ = nullptr;
    if (is_in_dial_) return; // connect will say so itself
    if (!is_tcp_connected) return dial_next_or_end();
    if (!is_request_sent_) {
        SSL* const ssl = lws_get_ssl(wsi);
        const long verdict = SSL_get_verify_result(ssl);
        if (verdict != X509_V_OK) {
            return end({.error = fail(Errc::tls_failed,
                                      "the certificate of " + place() +
                                          " is not accepted: " + X509_verify_cert_error_string(verdict) +
                                          "; check the name, the clock and TlsOptions::ca_file",
                                      Origin::peer)
                                     .error});
        }
        return end({.error = fail(Errc::tls_failed,
                                  "TLS with " + place() + " failed: " + std::string(text) +
                                      "; check that the port speaks TLS",
                                  Origin::peer)
                                 .error});
    }
    const bool hung_up = text.find("hung up") != text.npos || text.find("read failed") != text.npos;
    end({.error = fail(Errc::connect_failed,
                       place() +
                           (hung_up ? " closed the connection before it answered the upgrade"
                                    : " did not answer the upgrade with HTTP (" + std::string(text) + ')') +
                           "; check that it is a WebSocket endpoint, and ws against wss",
                       Origin::peer)
                      .error});
}

void ClientTunnel::handle_bytes(char* bytes, std::size_t size) {
    if (state_ == State::open) {
        listener_.tunnel_received({bytes, size});
    } else if (state_ == State::refused) {
        constexpr std::size_t max_body_bytes = 16u << 10;
        std::string& body = refusal_->http_body;
        body.append(bytes, std::min(size, max_body_bytes - body.size()));
        if (body.size() == max_body_bytes) abort();
    }
}

/// The connection is gone.
void ClientTunnel::handle_end() {
    if (wsi_) lws_set_opaque_user_data(wsi_, nullptr);
    wsi_ = nullptr;
    switch (state_) {
    case State::refused: return abort();
    case State::open: return end({});
    case State::connecting: // libwebsockets reports a timeout of its own only like this
        return end(
            {.error = fail(Errc::connect_failed,
                           place() + " closed the connection before it answered the upgrade", Origin::peer)
                          .error});
    default: return;
    }
}

void ClientTunnel::flush() {
    if (state_ != State::open || !wsi_) return;
    for (;;) {
        if (lws_partial_buffered(wsi_)) {
            lws_callback_on_writable(wsi_);
            return;
        }
        const std::string_view output = listener_.tunnel_output();
        if (output.empty()) break;
        const std::size_t size = std::min(output.size(), max_write_bytes);
        // RAW passes the bytes through; libwebsockets does not change them.
        auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(output.data()));
        if (lws_write(wsi_, bytes, size, LWS_WRITE_RAW) < 0) return end({});
        listener_.tunnel_wrote(size);
    }
    if (is_closing_) end({});
}

void ClientTunnel::close_after_output() {
    if (state_ != State::open) return abort();
    is_closing_ = true;
    patience_.arm(loop_.now() + last_words);
    write_later();
}

void ClientTunnel::abort() {
    if (state_ == State::idle || state_ == State::ended) return;
    if (!refusal_) return end({});
    const int status = refusal_->http_status;
    const bool is_auth = status == 401 || status == 403;
    Error error = fail(is_auth ? Errc::bad_auth : Errc::upgrade_refused,
                       place() + " refused the connection with HTTP " + std::to_string(status) +
                           (is_auth ? "; check token, params and rights" : "; check the path of the URL"),
                       Origin::peer)
                      .error;
    error.detail = std::move(refusal_);
    end({.error = std::move(error), .retry_after = retry_after_});
}

void ClientTunnel::end(TunnelEnd how) {
    state_ = State::ended;
    patience_.arm({});
    drop_wsi();
    // Later: the caller may be in the middle of something, and the listener may destroy this.
    loop_.post([this, alive = std::weak_ptr<bool>(alive_), how = std::move(how)]() mutable {
        if (!alive.expired()) listener_.tunnel_ended(std::move(how));
    });
}

void ClientTunnel::drop_wsi() {
    if (!wsi_) return;
    lws* const wsi = std::exchange(wsi_, nullptr);
    lws_set_opaque_user_data(wsi, nullptr);
    LwsContext::close_soon(wsi);
}

} // namespace phx::shell
