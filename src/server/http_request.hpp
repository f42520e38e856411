#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

/// The head of an HTTP/1.x request. Views point into the bytes that were parsed.
struct HttpRequest {
    std::string_view method = {};
    std::string_view path = {};  ///< not decoded
    std::string_view query = {}; ///< without the '?'
    int minor_version = 1;
    std::vector<std::pair<std::string_view, std::string_view>> headers =
        {}; ///< values without outer white space
    std::uint64_t content_length = 0;
    bool chunked = false;    ///< or any other transfer coding
    bool keep_alive = false; ///< what the client wants

    /// The first header of that name (any case); empty if there is none.
    std::string_view header(std::string_view name) const noexcept;
    bool has_header(std::string_view name) const noexcept { return count(name) > 0; }
    std::size_t count(std::string_view name) const noexcept; ///< headers of that name
    /// Whether the comma-separated lists of all headers of that name hold the token (any case).
    bool header_has_token(std::string_view name, std::string_view token) const noexcept;
};

struct HeadLimits {
    std::size_t max_bytes = 16u << 10; // tokens travel in queries and headers
    std::size_t max_headers = 100;
};

/// Where the head ends, or why it never will.
struct ParsedHead {
    enum class Status : std::uint8_t { incomplete, complete, refused } status = Status::incomplete;
    std::size_t bytes = 0; ///< complete: of the head
    int http_status = 0;   ///< refused: 400, 414, 431 or 505
    const char* reason = "";
};

/// Reads the head of a request, strictly (RFC 9112): lines end in CRLF, no folded headers, one Host, one
/// length. What two parsers could read differently is refused. `scanned` remembers how far the end was looked
/// for; start with 0.
ParsedHead parse_request_head(std::string_view bytes, HttpRequest&, std::size_t& scanned,
                              const HeadLimits& = {});

} // namespace phx::shell
