#include "phx/version.hpp"
#include "protocol/wire/handshake.hpp"
#include "protocol/wire/http_fields.hpp"
#include "src/net/client_tunnel.hpp"

#include <memory>

// The HTTP exchange of the upgrade (RFC 6455 section 4.1), and what is said of those that fail.
namespace phx::shell {
std::string ClientTunnel::request_head() const {
    const protocol::Url& url = target_.url;
    std::string head = "GET " + url.path;
    if (!url.query.empty()) head += '?' + url.query;
    head += " HTTP/1.1\r\n";
    if (!target_.has_header("Host")) head += "Host: " + url.host_header() + "\r\n";
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    head += "Sec-WebSocket-Key: " + key_ + "\r\n";
    if (!target_.subprotocols.empty()) head += "Sec-WebSocket-Protocol: " + target_.subprotocols + "\r\n";
    if (!target_.has_header("User-Agent")) head += "User-Agent: phx/" PHX_VERSION_STRING "\r\n";
    for (const auto& [name, value] : target_.headers) protocol::append_field(head, name, value);
    return head + "\r\n";
}

std::optional<Error> ClientTunnel::check_upgrade(const protocol::HttpResponse& response) const {
    const char* what = nullptr;
    const std::string_view subprotocol = response.header("sec-websocket-protocol");
    if (!protocol::equals_ignoring_case(response.header("upgrade"), "websocket")) {
        what = "its Upgrade header is not \"websocket\"";
    } else if (!response.has_token("connection", "upgrade")) {
        what = "its Connection header is not \"Upgrade\"";
    } else if (!protocol::is_websocket_accept(response.header("sec-websocket-accept"), key_)) {
        what = "its Sec-WebSocket-Accept is wrong";
    } else if (!response.header("sec-websocket-extensions").empty()) {
        what = "it chose an extension that was not offered";
    } else if (!subprotocol.empty() && !protocol::list_has_token(target_.subprotocols, subprotocol)) {
        what = "it chose a subprotocol that was not offered";
    }
    if (!what) return std::nullopt;
    Error error = fail(Errc::upgrade_refused,
                       target_.place() + " did not complete the WebSocket handshake: " + what +
                           "; check that it is a WebSocket endpoint and no proxy is between",
                       Origin::peer)
                      .error;
    ErrorDetail detail;
    detail.http_status = response.status;
    detail.http_headers = response.headers;
    error.detail = std::make_shared<ErrorDetail>(std::move(detail));
    return error;
}

Failure ClientTunnel::refusal_failure() const {
    const int status = refusal_->status();
    const std::string with = " with HTTP " + std::to_string(status);
    const std::string elsewhere = refusal_->redirect();
    if (status == 401 || status == 403) {
        return fail(Errc::bad_auth,
                    target_.place() + " refused the connection" + with + "; check token, params and rights",
                    Origin::peer);
    }
    if (!elsewhere.empty()) {
        return fail(Errc::upgrade_refused,
                    target_.place() + " redirects" + with + " to " + elsewhere +
                        ", which is not followed; check the URL",
                    Origin::peer);
    }
    const bool is_busy = status == 429 || status == 503; // or stopping, for a deploy
    return fail(
        Errc::upgrade_refused,
        target_.place() + " refused the connection" + with +
            (is_busy ? "; it takes nobody at the moment, try again later" : "; check the path of the URL"),
        Origin::peer);
}

Error ClientTunnel::ended_error() const {
    return fail(Errc::connect_failed,
                target_.place() + " closed the connection before it answered the upgrade; check that it is a "
                                  "WebSocket endpoint, and ws against wss",
                Origin::peer)
        .error;
}

} // namespace phx::shell
