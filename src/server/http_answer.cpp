#include "src/server/http_answer.hpp"

#include "phx/protocol/codec.hpp"

#include <utility>

namespace phx::shell {
namespace {

std::string object_of(std::string_view name, std::string_view text) {
    std::string json = "{\"" + std::string(name) + "\":";
    protocol::append_json_string(json, text);
    json += '}';
    return json;
}

} // namespace

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

HttpAnswer HttpAnswer::json(int status, std::string body) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
}

HttpAnswer HttpAnswer::error(int status, std::string_view text) {
    return json(status, object_of("error", text));
}

HttpAnswer HttpAnswer::message(int status, std::string_view text) {
    return json(status, object_of("message", text));
}

HttpAnswer HttpAnswer::text(int status, std::string body) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    answer.content_type = "text/plain; charset=utf-8";
    return answer;
}

HttpAnswer HttpAnswer::empty(int status) {
    HttpAnswer answer;
    answer.status = status;
    return answer;
}

void append_http_answer(std::string& out, const HttpAnswer& answer, BodyPart part, AfterAnswer after) {
    out += "HTTP/1.1 ";
    out += std::to_string(answer.status);
    out += ' ';
    out += reason_phrase(answer.status);
    if (answer.status != 204) { // RFC 9110 section 8.6
        out += "\r\ncontent-length: ";
        out += std::to_string(answer.body.size());
    }
    if (!answer.body.empty()) {
        out += "\r\ncontent-type: ";
        out += answer.content_type;
    }
    out += "\r\ncache-control: no-store\r\n";
    out += answer.extra_headers;
    if (after == AfterAnswer::close) out += "connection: close\r\n";
    out += "\r\n";
    if (part == BodyPart::send) out += answer.body;
}

} // namespace phx::shell
