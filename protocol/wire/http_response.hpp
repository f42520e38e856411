#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol {

/// The head of an HTTP/1.x response.
struct HttpResponse {
    int status = 0;
    /// In their order; names in lower case, values without outer white space.
    std::vector<std::pair<std::string, std::string>> headers = {};
    int minor_version = 1; ///< of HTTP/1.x

    /// The first header of that name (lower case); empty if there is none.
    std::string_view header(std::string_view name) const noexcept;
    /// Whether the comma-separated lists of all headers of that name hold the token (any case).
    bool has_token(std::string_view name, std::string_view token) const noexcept;
    /// Whether the connection may carry another response (RFC 9112 section 9.3).
    bool keeps_alive() const noexcept {
        return minor_version == 0 ? has_token("connection", "keep-alive") : !has_token("connection", "close");
    }
};

/// Reads the head of a response from bytes as they come, in bounded memory (RFC 9112). Interim responses (1xx
/// but 101) are skipped. Strict: lines end in CRLF, no folded headers.
class HttpResponseReader {
public:
    enum class Status : std::uint8_t {
        incomplete,
        complete,
        malformed, ///< not HTTP/1.x
        too_large, ///< more than `max_head_bytes`
    };
    struct Fed {
        Status status = Status::incomplete;
        std::size_t taken = 0; ///< complete: how many of the bytes belong to the head; what follows is a body
    };
    static constexpr std::size_t max_head_bytes = 16u << 10;

    /// REQUIRES that no call before it returned anything but incomplete
    Fed feed(std::string_view bytes);
    /// REQUIRES complete
    HttpResponse& response() noexcept { return response_; }

private:
    bool parse(std::string_view head);

    std::string bytes_;
    std::size_t scanned_ = 0; // of bytes_: the end of the head is not there
    HttpResponse response_;
};

/// How a body says where it ends.
struct BodyFraming {
    enum class End : std::uint8_t { of_connection, counted, chunked } end = End::of_connection;
    std::uint64_t length = 0; ///< counted
};

/// The body of a message that announces one: by its length, in chunks, or up to the end of the connection.
class HttpBody {
public:
    /// Keeps the first `max_bytes`; a body of so many is too large already.
    HttpBody(BodyFraming, std::size_t max_bytes);
    HttpBody(const HttpResponse&, std::size_t max_bytes);

    /// True when nothing more is to be expected or kept. A malformed body is over where it is malformed.
    bool feed(std::string_view bytes);
    bool is_over() const noexcept { return part_ == Part::whole || part_ == Part::broken; }
    /// Nothing is missing: it ended as it was announced to, and within `max_bytes`.
    bool is_whole() const noexcept { return part_ == Part::whole; }
    /// It is whole and nothing came after it: what comes next on the connection answers what is asked next.
    bool ends_cleanly() const noexcept { return is_whole() && surplus_ == 0; }
    /// How many of the bytes that it was fed came after its end.
    std::size_t surplus() const noexcept { return surplus_; }
    bool is_too_large() const noexcept { return part_ == Part::broken && text_.size() == max_bytes_; }
    /// The connection has ended, and with it a body that announced no other end.
    void handle_end() noexcept {
        part_ = part_ == Part::until_end || is_whole() ? Part::whole : Part::broken;
    }
    std::string& text() noexcept { return text_; }

private:
    enum class Part : std::uint8_t {
        until_end,
        counted,
        chunk_size,
        chunk,
        chunk_end,
        trailer,
        whole,
        broken
    };

    /// These return what is left of the bytes.
    std::string_view keep(std::string_view bytes);
    std::string_view take_line(std::string_view bytes);
    Part part_after_line();

    std::string text_;
    std::size_t max_bytes_;
    Part part_ = Part::until_end;
    std::uint64_t left_ = 0; // counted, chunk: bytes; trailer: lines
    std::string line_;       // chunk_size, chunk_end, trailer
    std::size_t surplus_ = 0;
};

} // namespace phx::protocol
