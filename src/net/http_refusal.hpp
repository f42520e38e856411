#pragma once

#include "protocol/wire/http_response.hpp"
#include "src/net/connection_target.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace phx::shell {

/// An answer that is not the one that was asked for: its head, and what comes of its body.
class HttpRefusal {
public:
    static constexpr auto patience = std::chrono::seconds(1); ///< for the body

    explicit HttpRefusal(protocol::HttpResponse&&);

    /// True when the body is over.
    bool feed(std::span<char> bytes) { return body_.feed({bytes.data(), bytes.size()}); }
    bool is_over() const noexcept { return body_.is_over(); }
    int status() const noexcept { return detail_->http_status; }
    /// Where a redirect leads: without the query, which may hold our token, and fit for a message. Empty if
    /// it is none.
    std::string redirect() const;
    /// The end of what was asked for, with all that was answered. Once.
    LinkEnd end(Failure why);

private:
    std::shared_ptr<ErrorDetail> detail_;
    protocol::HttpBody body_;
    std::optional<protocol::Duration> retry_after_;
};

/// Of an answer that is none. `what`: "the proxy host:port"
Error unreadable_error(const std::string& what, protocol::HttpResponseReader::Status, const char* advice,
                       Origin origin);

} // namespace phx::shell
