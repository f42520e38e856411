#pragma once

#include "phx/server/connection.hpp"
#include "src/server/http_answer.hpp"
#include "src/server/http_request.hpp"

#include <cassert>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace phx::shell {

class Connection;

/// Who sent a request to the HTTP API. Without an identity it may do everything.
struct Caller {
    std::optional<phx::server::Identity> identity = {};
    const phx::server::Identity* rights() const noexcept { return identity ? &*identity : nullptr; }
};

/// A request with its body, which somebody answers once: at once, or later, and then the client may be gone.
/// Loop thread only.
class HttpExchange {
public:
    /// `head`: a complete one.
    HttpExchange(Connection& connection, std::string head, std::string peer)
        : connection_(&connection), head_(std::move(head)), peer_(std::move(peer)) {
        std::size_t scanned = 0;
        [[maybe_unused]] const ParsedHead parsed = parse_request_head(head_, request_, scanned);
        assert(parsed.status == ParsedHead::Status::complete);
    }
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;

    const HttpRequest& request() const noexcept { return request_; }
    const std::string& body() const noexcept { return body_; }
    const std::string& peer() const noexcept { return peer_; } ///< address
    Caller caller = {};                                        ///< whom Shard::admit() found
    /// Whether the client still waits.
    bool is_open() const noexcept { return connection_ != nullptr; }
    /// Ignored unless it is open.
    void answer(const HttpAnswer&);

    // ---- for the connection
    void set_body(std::string body) { body_ = std::move(body); }
    void close() noexcept { connection_ = nullptr; }

private:
    Connection* connection_;
    std::string head_;
    HttpRequest request_;
    std::string body_;
    std::string peer_;
};

} // namespace phx::shell
