#pragma once

#include "phx/function.hpp"
#include "phx/server/connection.hpp"
#include "src/server/http_answer.hpp"
#include "src/server/http_request.hpp"

#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace phx::shell {

class LoopCore;

/// Who sent a request to the HTTP API. Without an identity it may do everything.
struct Caller {
    std::optional<phx::server::Identity> identity = {};
    const phx::server::Identity* rights() const noexcept { return identity ? &*identity : nullptr; }
};

/// A request with its body, which somebody answers once: at once, or later, and then the client may be gone.
/// Loop thread only; a forwarded one belongs to another loop than that of its connection.
class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
public:
    using Answer = Function<void(const HttpAnswer&)>;

    /// `head`: a complete one. `answer` is called once at most.
    HttpExchange(std::string head, std::string body, std::string peer, Answer answer)
        : answer_(std::move(answer)), head_(std::move(head)), body_(std::move(body)), peer_(std::move(peer)) {
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
    bool is_open() const noexcept { return static_cast<bool>(answer_); }
    /// Ignored unless it is open.
    void answer(const HttpAnswer&);

    /// The same request for somebody on the loop `there`, to be answered from there; `here` is the loop of
    /// this one.
    std::shared_ptr<HttpExchange> forward(std::shared_ptr<LoopCore> here, std::shared_ptr<LoopCore> there);

    // ---- for who gave it
    void set_body(std::string body) { body_ = std::move(body); }
    /// Nobody waits any more.
    void close();

private:
    Answer answer_;
    Function<void()> closed_; // of the forwarded one
    std::string head_;
    HttpRequest request_;
    std::string body_;
    std::string peer_;
};

} // namespace phx::shell
