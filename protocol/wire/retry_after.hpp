#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace phx::protocol {

using UnixSeconds = std::chrono::sys_seconds;

/// A date of HTTP in any of its three forms (RFC 9110 section 5.6.7).
std::optional<UnixSeconds> parse_http_date(std::string_view);

/// How long a Retry-After header asks to wait: seconds, or a date (RFC 9110 section 10.2.3). A date is taken
/// relative to the `date` header of the same response, so that the two clocks need not agree. Nothing for
/// what is malformed or negative, and for a date without `date`.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::string_view date);

} // namespace phx::protocol
