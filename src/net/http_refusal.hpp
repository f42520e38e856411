#pragma once

#include "protocol/wire/http_response.hpp"
#include "src/net/connection_target.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace phx::shell {

/// An answer that is not the one that was asked for: its head, and what comes of its body.
class HttpRefusal {
public:
    /// Until when the body is waited for.
    static protocol::TimePoint patience(protocol::TimePoint now, const ConnectionTarget& target) {
        constexpr auto for_body = std::chrono::seconds(1);
        constexpr auto to_report = std::chrono::milliseconds(50); // turns of the loop come late
        const protocol::TimePoint until = now + for_body;
        return target.deadline ? std::clamp(*target.deadline - to_report, now, until) : until;
    }

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
