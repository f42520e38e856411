#include "phx/version.hpp"
#include "protocol/wire/handshake.hpp"
#include "protocol/wire/http_fields.hpp"
#include "src/net/client_tunnel.hpp"

#include <algorithm>
#include <memory>

// The HTTP exchange of the upgrade (RFC 6455 section 4.1), and what is said of those that fail.
namespace phx::shell {
namespace {

/// Where a redirect leads: without the query, which may hold our token, and fit for a message.
std::string redirect_of(const ErrorDetail& detail) {
    constexpr std::size_t max_bytes = 200;
    for (const auto& [name, value] : detail.http_headers) {
        if (name != "location") continue;
        std::string where = value.substr(0, std::min(value.find_first_of("?#"), max_bytes));
        // Credentials in it are not ours, and none of anybody's business.
        const std::size_t start = where.find("//");
        const std::size_t at = where.rfind('@');
        if (start != where.npos && at != where.npos && at > start) where.erase(start + 2, at - start - 1);
        std::replace_if(
            where.begin(), where.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
        return where;
    }
    return {};
}

} // namespace

std::string ClientTunnel::place() const {
    const bool is_ipv6 = target_.url.host.find(':') != std::string::npos;
    const std::string& path = target_.network.unix_socket;
    return (is_ipv6 ? '[' + target_.url.host + ']' : target_.url.host) + ':' +
           std::to_string(target_.url.port) + (path.empty() ? std::string() : " at " + path);
}

std::string ClientTunnel::request_head() const {
    auto has = [this](std::string_view name) {
        return std::any_of(target_.headers.begin(), target_.headers.end(), [&](const auto& entry) {
            return protocol::equals_ignoring_case(entry.first, name);
        });
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
    for (const auto& [name, value] : target_.headers) head += name + ": " + value + "\r\n";
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
                       place() + " did not complete the WebSocket handshake: " + what +
                           "; check that it is a WebSocket endpoint and no proxy is between",
                       Origin::peer)
                      .error;
    ErrorDetail detail;
    detail.http_status = response.status;
    detail.http_headers = response.headers;
    error.detail = std::make_shared<ErrorDetail>(std::move(detail));
    return error;
}

Error ClientTunnel::refusal_error() {
    ErrorDetail& detail = *refusal_->detail;
    detail.http_body = std::move(refusal_->body.text());
    const int status = detail.http_status;
    const std::string with = " with HTTP " + std::to_string(status);
    const std::string elsewhere = status / 100 == 3 ? redirect_of(detail) : std::string();
    Failure failure;
    if (refusal_->is_by_proxy) {
        const bool is_auth = status == 407;
        failure = fail(is_auth ? Errc::bad_auth : Errc::connect_failed,
                       "the proxy " + proxy_->place() + " refused to connect to " + place() + with +
                           (is_auth ? "; check the credentials in NetworkOptions::proxy"
                                    : "; check what the proxy allows and reaches"),
                       Origin::transport);
    } else if (status == 401 || status == 403) {
        failure = fail(Errc::bad_auth,
                       place() + " refused the connection" + with + "; check token, params and rights",
                       Origin::peer);
    } else if (!elsewhere.empty()) {
        failure = fail(Errc::upgrade_refused,
                       place() + " redirects" + with + " to " + elsewhere +
                           ", which is not followed; check the URL",
                       Origin::peer);
    } else {
        failure =
            fail(Errc::upgrade_refused,
                 place() + " refused the connection" + with + "; check the path of the URL", Origin::peer);
    }
    failure.error.detail = std::move(refusal_->detail);
    return std::move(failure.error);
}

Error ClientTunnel::unreadable_error(protocol::HttpResponseReader::Status status) const {
    const bool is_large = status == protocol::HttpResponseReader::Status::too_large;
    return fail(Errc::connect_failed,
                peer() +
                    (is_large ? " answered with more than 16 KiB of headers" : " did not answer with HTTP") +
                    "; check that it is a WebSocket endpoint, and ws against wss",
                state_ == State::proxying ? Origin::transport : Origin::peer)
        .error;
}

Error ClientTunnel::ended_error() const {
    const bool is_proxy = state_ == State::proxying;
    return fail(Errc::connect_failed,
                peer() + " closed the connection before it answered the " +
                    (is_proxy ? "CONNECT" : "upgrade") + "; check that it is a " +
                    (is_proxy ? "HTTP proxy" : "WebSocket endpoint, and ws against wss"),
                is_proxy ? Origin::transport : Origin::peer)
        .error;
}

} // namespace phx::shell
