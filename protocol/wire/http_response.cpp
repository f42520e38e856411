#include "protocol/wire/http_response.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <charconv>

namespace phx::protocol {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view head_end = "\r\n\r\n";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_value(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < ' ' && c != '\t') || byte == 0x7f;
    });
}

/// Whether this can still become "HTTP/1.x ...": whoever says something else is not waited for.
bool may_be_http(std::string_view bytes) noexcept {
    constexpr std::string_view start = "HTTP/1.";
    const std::size_t size = std::min(bytes.size(), start.size());
    return bytes.substr(0, size) == start.substr(0, size);
}

/// "HTTP/1.1 200 OK"; zero if it is not.
int status_of(std::string_view line) noexcept {
    constexpr std::size_t digits = 9, least = 12;
    if (line.size() < least || !may_be_http(line) || !is_digit(line[7]) || line[8] != ' ') return 0;
    if (line.size() > least && line[least] != ' ') return 0;
    int status = 0;
    for (const char c : line.substr(digits, 3)) {
        if (!is_digit(c)) return 0;
        status = status * 10 + (c - '0');
    }
    return status >= 100 && is_value(line) ? status : 0;
}

} // namespace

std::string_view HttpResponse::header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

bool HttpResponse::has_token(std::string_view name, std::string_view token) const noexcept {
    return std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
        return header.first == name && list_has_token(header.second, token);
    });
}

HttpResponseReader::Fed HttpResponseReader::feed(std::string_view bytes) {
    for (std::size_t taken = 0;;) {
        const std::string_view piece = bytes.substr(taken, max_head_bytes - bytes_.size());
        bytes_.append(piece);
        taken += piece.size();
        std::size_t skipped = 0;
        for (;;) {
            const std::string_view seen = std::string_view(bytes_).substr(skipped);
            if (!may_be_http(seen)) return {Status::malformed};
            const std::size_t end = seen.find(head_end, scanned_);
            if (end == std::string_view::npos) break;
            scanned_ = 0;
            if (!parse(seen.substr(0, end + line_end.size()))) return {Status::malformed};
            skipped += end + head_end.size();
            const bool is_interim = response_.status < 200 && response_.status != 101;
            if (!is_interim) return {Status::complete, taken - (bytes_.size() - skipped)};
        }
        bytes_.erase(0, skipped); // makes room for what did not fit
        if (bytes_.size() == max_head_bytes) return {Status::too_large};
        scanned_ = bytes_.size() < head_end.size() ? 0 : bytes_.size() - (head_end.size() - 1);
        if (taken == bytes.size()) return {};
    }
}

/// Every line with its CRLF.
bool HttpResponseReader::parse(std::string_view head) {
    response_ = {};
    for (bool is_first = true; !head.empty(); is_first = false) {
        const std::size_t end = head.find(line_end);
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(end + line_end.size());
        if (is_first) {
            response_.status = status_of(line);
            if (response_.status == 0) return false;
            response_.minor_version = line[7] - '0';
            continue;
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_field_token(line.substr(0, colon))) return false;
        const std::string_view value = trim_field(line.substr(colon + 1));
        if (!is_value(value)) return false;
        std::string name(line.substr(0, colon));
        for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        response_.headers.emplace_back(std::move(name), value);
    }
    return true;
}

// ---- HttpBody

HttpBody::HttpBody(BodyFraming framing, std::size_t max_bytes) : max_bytes_(max_bytes) {
    if (framing.end == BodyFraming::End::chunked) {
        part_ = Part::chunk_size;
    } else if (framing.end == BodyFraming::End::counted) {
        left_ = framing.length;
        part_ = left_ == 0 ? Part::whole : Part::counted;
    }
}

HttpBody::HttpBody(const HttpResponse& response, std::size_t max_bytes) : max_bytes_(max_bytes) {
    const std::string_view length = response.header("content-length");
    if (response.status < 200 || response.status == 204 || response.status == 304) {
        part_ = Part::whole;
    } else if (response.has_token("transfer-encoding", "chunked")) {
        part_ = Part::chunk_size;
    } else if (!length.empty()) {
        const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), left_);
        if (error != std::errc{} || end != length.data() + length.size()) return; // then it ends somehow
        part_ = left_ == 0 ? Part::whole : Part::counted;
    }
}

bool HttpBody::feed(std::string_view bytes) {
    while (!bytes.empty() && !is_over()) {
        const bool is_line = part_ == Part::chunk_size || part_ == Part::chunk_end || part_ == Part::trailer;
        bytes = is_line ? take_line(bytes) : keep(bytes);
    }
    surplus_ += bytes.size();
    return is_over();
}

std::string_view HttpBody::keep(std::string_view bytes) {
    const bool is_counted = part_ != Part::until_end;
    const std::size_t here =
        is_counted ? static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)) : bytes.size();
    text_.append(bytes.substr(0, std::min(here, max_bytes_ - text_.size())));
    if (is_counted) left_ -= here;
    if (part_ == Part::counted && left_ == 0 && text_.size() < max_bytes_) {
        part_ = Part::whole;
    } else if (text_.size() == max_bytes_) {
        part_ = Part::broken;
    } else if (part_ == Part::chunk && left_ == 0) {
        part_ = Part::chunk_end;
    }
    return bytes.substr(here);
}

/// "1f;extension", after a chunk nothing, and after the last one fields that are of no interest.
std::string_view HttpBody::take_line(std::string_view bytes) {
    constexpr std::size_t max_line_bytes = 256;
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, std::min(end, max_line_bytes)));
    if (line_.size() > max_line_bytes) part_ = Part::broken;
    if (end == std::string_view::npos || part_ == Part::broken) return {};
    part_ = part_after_line();
    line_.clear();
    return bytes.substr(end + 1);
}

HttpBody::Part HttpBody::part_after_line() {
    constexpr std::uint64_t max_trailers = 64;
    // Lines end in CRLF: a lone LF is how one request hides in another (RFC 9112 section 11.2).
    if (!line_.ends_with('\r')) return Part::broken;
    const bool is_empty = line_ == "\r";
    if (part_ == Part::chunk_end) return is_empty ? Part::chunk_size : Part::broken;
    if (part_ == Part::trailer) {
        if (is_empty) return Part::whole;
        return ++left_ > max_trailers ? Part::broken : Part::trailer;
    }
    const auto [stop, error] = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
    const bool is_size = error == std::errc{} && stop != line_.data() + line_.size() &&
                         std::string_view(" \t;\r").find(*stop) != std::string_view::npos;
    if (!is_size) return Part::broken;
    return left_ != 0 ? Part::chunk : Part::trailer;
}

} // namespace phx::protocol
