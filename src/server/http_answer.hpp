#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace phx::shell {

/// An HTTP answer; `extra_headers` are whole lines with their CRLF.
struct HttpAnswer {
    int status = 200;
    std::string body = {};
    std::string_view content_type = "application/json";
    std::string extra_headers = {};

    static HttpAnswer json(int status, std::string body);
    static HttpAnswer error(int status, std::string_view text);   ///< `{"error":text}`
    static HttpAnswer message(int status, std::string_view text); ///< `{"message":text}`, as Supabase's REST
    static HttpAnswer text(int status, std::string body);
    static HttpAnswer empty(int status);
};

enum class BodyPart : std::uint8_t { send, leave_out };
enum class AfterAnswer : std::uint8_t { keep_alive, close };

void append_http_answer(std::string& out, const HttpAnswer&, BodyPart, AfterAnswer);

/// "Not Found" for 404.
std::string_view reason_phrase(int status) noexcept;

} // namespace phx::shell
