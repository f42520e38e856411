#include "src/lws/client_tunnel.hpp"

#include "phx/version.hpp"
#include "protocol/wire/handshake.hpp"
#include "src/lws/context.hpp"

#include <libwebsockets.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// The HTTP exchange of the upgrade: RFC 6455 section 4.1.
namespace phx::shell {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(x) == lower(y);
    });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Whether a comma-separated list has the element.
bool lists(std::string_view list, std::string_view element) {
    for (;;) {
        const std::size_t comma = list.find(',');
        if (equals_ignoring_case(trimmed(list.substr(0, comma)), element)) return true;
        if (comma == list.npos) return false;
        list.remove_prefix(comma + 1);
    }
}

std::string header(lws* wsi, lws_token_indexes token) {
    const int size = lws_hdr_total_length(wsi, token);
    if (size <= 0) return {};
    std::string value(static_cast<std::size_t>(size) + 1, '\0');
    const int copied = lws_hdr_copy(wsi, value.data(), size + 1, token);
    value.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
    return value;
}

std::string custom_header(lws* wsi, const std::string& name_with_colon) {
    const int name_size = static_cast<int>(name_with_colon.size());
    const int size = lws_hdr_custom_length(wsi, name_with_colon.c_str(), name_size);
    if (size <= 0) return {};
    std::string value(static_cast<std::size_t>(size) + 1, '\0');
    const int copied = lws_hdr_custom_copy(wsi, value.data(), size + 1, name_with_colon.c_str(), name_size);
    value.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
    return value;
}

constexpr auto body_patience = std::chrono::seconds(1); // of a refusal

bool is_certificate_for(lws* wsi, const std::string& ipv6_address) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(lws_get_ssl(wsi)),
                                                                  &X509_free);
    return certificate && X509_check_ip_asc(certificate.get(), ipv6_address.c_str(), 0) == 1;
}

} // namespace

std::string ClientTunnel::request_head() const {
    auto has = [this](std::string_view name) {
        return std::any_of(target_.headers.begin(), target_.headers.end(),
                           [&](const auto& entry) { return equals_ignoring_case(entry.first, name); });
    };
    const protocol::Url& url = target_.url;
    std::string head = "GET " + url.path;
    if (!url.query.empty()) head += '?' + url.query;
    head += " HTTP/1.1\r\n";
    if (!has("Host")) head += "Host: " + url.host_header() + "\r\n";
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    head += "Sec-WebSocket-Key: " + key_ + "\r\n";
    if (!target_.subprotocols.empty()) head += "Sec-WebSocket-Protocol: " + target_.subprotocols + "\r\n";
    if (!has("User-Agent")) head += "User-Agent: phx/" PHX_VERSION_STRING "\r\n";
    for (const auto& [name, value] : target_.headers) {
        head.append(name).append(": ").append(value).append("\r\n");
    }
    return head;
}

/// libwebsockets has written a GET of its own with "connection: close"; ours takes its place.
int ClientTunnel::append_request(char** position, std::size_t room) {
    const std::string& name = verified_name();
    if (target_.url.tls && target_.tls.verify_peer && is_cut_by_library(name) &&
        !is_certificate_for(wsi_, name)) {
        end({.error =
                 fail(Errc::tls_failed,
                      "the certificate of " + place() + " is not accepted: IP address mismatch with " + name,
                      Origin::peer)
                     .error});
        return -1;
    }
    constexpr std::size_t reserve = 12; // that libwebsockets keeps back of its buffer
    char* const start = *position + room + reserve - lws_buffer_bytes;
    constexpr std::string_view expected = "GET / HTTP/1.1\r\n";
    if (start > *position || std::string_view(start, expected.size()) != expected) {
        end({.error =
                 fail(Errc::system_failure, "this version of libwebsockets builds requests in an unknown way")
                     .error});
        return -1;
    }
    const std::string head = request_head();
    constexpr std::size_t max_head_bytes = 16u << 10; // one send() of a new connection takes it whole
    if (head.size() > max_head_bytes) {
        end({.error = fail(Errc::invalid_argument,
                           "the upgrade request has " + std::to_string(head.size()) +
                               " bytes, more than 16 KiB; shorten params, headers or token")
                          .error});
        return -1;
    }
    std::copy(head.begin(), head.end(), start);
    *position = start + head.size();
    is_request_sent_ = true;
    patience_.arm({});
    // libwebsockets now sets a timeout of its own; the only one that counts is the machine's.
    loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired() && wsi_) lws_set_timeout(wsi_, NO_PENDING_TIMEOUT, 0);
    });
    return 0;
}

std::optional<Error> ClientTunnel::check_upgrade(lws* wsi) const {
    const char* what = nullptr;
    const std::string subprotocol = header(wsi, WSI_TOKEN_PROTOCOL);
    if (!equals_ignoring_case(trimmed(header(wsi, WSI_TOKEN_UPGRADE)), "websocket")) {
        what = "its Upgrade header is not \"websocket\"";
    } else if (!lists(header(wsi, WSI_TOKEN_CONNECTION), "upgrade")) {
        what = "its Connection header is not \"Upgrade\"";
    } else if (!protocol::is_websocket_accept(header(wsi, WSI_TOKEN_ACCEPT), key_)) {
        what = "its Sec-WebSocket-Accept is wrong";
    } else if (!trimmed(header(wsi, WSI_TOKEN_EXTENSIONS)).empty()) {
        what = "it chose an extension that was not offered";
    } else if (!subprotocol.empty() && !lists(target_.subprotocols, trimmed(subprotocol))) {
        what = "it chose a subprotocol that was not offered";
    }
    if (!what) return std::nullopt;
    Error error = fail(Errc::upgrade_refused,
                       place() + " did not complete the WebSocket handshake: " + what +
                           "; check that it is a WebSocket endpoint and no proxy is between",
                       Origin::peer)
                      .error;
    ErrorDetail detail;
    detail.http_status = 101;
    error.detail = std::make_shared<ErrorDetail>(std::move(detail));
    return error;
}

void ClientTunnel::note_refusal(lws* wsi, int status) {
    refusal_ = std::make_shared<ErrorDetail>();
    refusal_->http_status = status;
    auto keep = [this](const char* name, std::string value) {
        if (!value.empty()) refusal_->http_headers.emplace_back(name, std::move(value));
    };
    keep("content-type", header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE));
    keep("location", header(wsi, WSI_TOKEN_HTTP_LOCATION));
    keep("retry-after", header(wsi, WSI_TOKEN_HTTP_RETRY_AFTER));
    keep("server", header(wsi, WSI_TOKEN_HTTP_SERVER));
    keep("www-authenticate", header(wsi, WSI_TOKEN_HTTP_WWW_AUTHENTICATE));
    for (const char* name : {"x-reason", "x-request-id", "sb-request-id"}) {
        keep(name, custom_header(wsi, std::string(name) + ':'));
    }
    const std::string delay = header(wsi, WSI_TOKEN_HTTP_RETRY_AFTER);
    std::uint32_t seconds = 0; // a date is not honoured: it needs a clock that agrees with the server's
    const auto parsed = std::from_chars(delay.data(), delay.data() + delay.size(), seconds);
    if (!delay.empty() && parsed.ec == std::errc{} && parsed.ptr == delay.data() + delay.size()) {
        retry_after_ = std::chrono::seconds(seconds);
    }
}

int ClientTunnel::handle_response(lws* wsi) {
    const int status = static_cast<int>(lws_http_client_http_response(wsi));
    if (status != 101) {
        note_refusal(wsi, status);
        state_ = State::refused;
        patience_.arm(loop_.now() + body_patience);
        return 0; // the body follows
    }
    if (auto error = check_upgrade(wsi)) {
        end({.error = std::move(error)});
        return -1;
    }
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    state_ = State::open;
    listener_.tunnel_opened();
    return state_ == State::open ? 0 : -1;
}

} // namespace phx::shell
