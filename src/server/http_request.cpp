#include "src/server/http_request.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <charconv>

namespace phx::shell {
namespace {

using protocol::equals_ignoring_case;
using Status = ParsedHead::Status;

constexpr std::string_view end_of_head = "\r\n\r\n";

bool is_target_char(char c) noexcept { return c > ' ' && c < 0x7f; }

ParsedHead refuse(int status, const char* reason) { return {Status::refused, 0, status, reason}; }
ParsedHead fine() { return {Status::complete, 0, 0, ""}; }

ParsedHead parse_request_line(std::string_view line, HttpRequest& request) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400, "malformed request line");
    request.method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!protocol::is_field_token(request.method)) return refuse(400, "malformed method");
    if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || version[6] != '.') {
        return refuse(400, "malformed request line");
    }
    if (version[5] != '1' || (version[7] != '0' && version[7] != '1')) {
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    request.minor_version = version[7] - '0';
    if (target.empty() || target[0] != '/' || !std::all_of(target.begin(), target.end(), is_target_char)) {
        return refuse(400, "the request target must be a path");
    }
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    request.query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
    return fine();
}

ParsedHead parse_header(std::string_view line, HttpRequest& request) {
    const std::size_t colon = line.find(':');
    // White space before the colon, and lines that continue the one before, are how requests are smuggled.
    if (colon == std::string_view::npos || !protocol::is_field_token(line.substr(0, colon)))
        return refuse(400, "malformed header");
    const std::string_view value = protocol::trim_field(line.substr(colon + 1));
    if (!protocol::is_field_value(value)) return refuse(400, "malformed header");
    request.headers.emplace_back(line.substr(0, colon), value);
    return fine();
}

ParsedHead check_length(HttpRequest& request) {
    bool has_length = false;
    for (const auto& [name, value] : request.headers) {
        if (!equals_ignoring_case(name, "content-length")) continue;
        std::uint64_t length = 0;
        const char* end = value.data() + value.size();
        const auto [stop, error] = std::from_chars(value.data(), end, length);
        if (value.empty() || value[0] == '-' || error != std::errc{} || stop != end ||
            (has_length && length != request.content_length)) {
            return refuse(400, "malformed content-length");
        }
        has_length = true;
        request.content_length = length;
    }
    const auto is_coding = [](const auto& header) {
        return equals_ignoring_case(header.first, "transfer-encoding");
    };
    const auto codings = std::count_if(request.headers.begin(), request.headers.end(), is_coding);
    if (codings > 1) return refuse(400, "more than one transfer-encoding");
    request.chunked = codings == 1;
    if (request.chunked && has_length) return refuse(400, "both content-length and transfer-encoding");
    return fine();
}

ParsedHead check_meaning(HttpRequest& request) {
    const auto is_host = [](const auto& header) { return equals_ignoring_case(header.first, "host"); };
    const auto hosts = std::count_if(request.headers.begin(), request.headers.end(), is_host);
    if (hosts > 1 || (hosts == 0 && request.minor_version == 1))
        return refuse(400, "exactly one host header is needed");
    if (const ParsedHead length = check_length(request); length.status == Status::refused) return length;
    request.keep_alive = request.minor_version == 1 && !request.header_has_token("connection", "close");
    return fine();
}

} // namespace

std::string_view HttpRequest::header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
        if (equals_ignoring_case(key, name)) return value;
    }
    return {};
}

std::size_t HttpRequest::count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(), [name](const auto& header) {
        return equals_ignoring_case(header.first, name);
    }));
}

bool HttpRequest::header_has_token(std::string_view name, std::string_view token) const noexcept {
    for (const auto& [key, value] : headers) {
        if (equals_ignoring_case(key, name) && protocol::list_has_token(value, token)) return true;
    }
    return false;
}

ParsedHead parse_request_head(std::string_view bytes, HttpRequest& request, std::size_t& scanned,
                              const HeadLimits& limits) {
    std::size_t start = 0; // RFC 9112 section 2.2: empty lines before a request are skipped
    while (start < 4 && bytes.substr(start, 2) == "\r\n") start += 2;
    const std::size_t end = bytes.find(end_of_head, std::max(start, scanned));
    if (end == std::string_view::npos) {
        // TLS on a plain port: its client would wait for us, and we for the end of the head.
        if (start < bytes.size() && bytes[start] != '\r' &&
            !protocol::is_field_token(bytes.substr(start, 1))) {
            return refuse(400, "malformed method");
        }
        scanned = bytes.size() < end_of_head.size() ? 0 : bytes.size() - (end_of_head.size() - 1);
        if (bytes.size() <= limits.max_bytes) return {};
        const bool in_first_line = bytes.find("\r\n", start) == std::string_view::npos;
        return in_first_line ? refuse(414, "request line too long") : refuse(431, "headers too large");
    }
    if (end + end_of_head.size() > limits.max_bytes) return refuse(431, "headers too large");
    request = HttpRequest{};
    std::string_view rest = bytes.substr(start, end + 2 - start); // every line with its CRLF
    ParsedHead result = fine();
    for (bool is_first = true; !rest.empty(); is_first = false) {
        const std::size_t line_end = rest.find("\r\n");
        const std::string_view line = rest.substr(0, line_end);
        rest.remove_prefix(line_end + 2);
        if (request.headers.size() == limits.max_headers) return refuse(431, "too many headers");
        result = is_first ? parse_request_line(line, request) : parse_header(line, request);
        if (result.status == Status::refused) return result;
    }
    result = check_meaning(request);
    if (result.status == Status::complete) result.bytes = end + end_of_head.size();
    return result;
}

} // namespace phx::shell
