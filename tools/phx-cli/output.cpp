#include "output.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <unistd.h>

namespace phx::cli {
namespace {

// Line breaks in JSON text stand only between tokens, so a blank keeps the value and NDJSON keeps its lines.
void append_one_line(std::string& out, std::string_view json) {
    const auto from = out.size();
    out += json;
    for (auto i = from; i < out.size(); ++i) {
        if (out[i] == '\n' || out[i] == '\r') out[i] = ' ';
    }
}

// A peer's text must not steer the terminal.
void append_printable(std::string& out, std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        }
    }
}

} // namespace

Output::Output(Format format)
    : format_(format), colour_(isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr) {}

void Output::message(const Message& message) {
    const auto& frame = message.frame();
    Line line;
    line.topic = frame.topic;
    line.event = frame.event;
    if (frame.ref) line.ref = frame.ref->text;
    if (frame.join_ref) line.join_ref = frame.join_ref->text;
    line.binary = message.binary();
    line.payload = frame.payload;
    if (frame.user_event && !line.binary) {
        // Kind 4 with JSON inside reads like the text broadcast that it stands for.
        payload_ = "{\"type\":\"broadcast\",\"event\":";
        protocol::append_json_string(payload_, *frame.user_event);
        payload_ += ",\"payload\":";
        payload_ += frame.payload;
        if (!frame.metadata.empty()) payload_.append(",\"meta\":").append(frame.metadata);
        payload_ += '}';
        line.payload = payload_;
    } else if (frame.user_event) {
        line.user_event = *frame.user_event;
    }
    if (frame.status) line.status = *frame.status;
    print(line);
}

void Output::reply(std::string_view topic, const Reply& reply) {
    Line line;
    line.topic = topic;
    line.event = "phx_reply";
    line.status = reply.status();
    line.binary = reply.binary();
    const auto bytes = reply.bytes();
    line.payload = reply.binary()
                       ? std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
                       : reply.text();
    if (!line.binary && line.payload.empty()) line.payload = "{}";
    print(line);
}

void Output::print(const Line& line) {
    buffer_.clear();
    if (format_ == Format::json) append_json(line);
    if (format_ == Format::plain) append_plain(line);
    if (format_ == Format::raw) {
        if (line.binary) {
            buffer_ += line.payload; // bytes are data: no newline is added to them
        } else {
            append_one_line(buffer_, line.payload);
            buffer_ += '\n';
        }
    }
    const bool written = std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) == buffer_.size();
    if ((!written || std::fflush(stdout) != 0) && error_ == 0) error_ = errno;
}

ExitCode Output::verdict() const {
    if (error_ == 0 || error_ == EPIPE) return ExitCode::ok;
    std::fprintf(stderr, "phx-cli: cannot write to stdout: %s\n", std::strerror(error_));
    return ExitCode::failure;
}

void Output::append_json(const Line& line) {
    buffer_ += "{\"ts\":\"" + timestamp() + "\",\"topic\":";
    protocol::append_json_string(buffer_, line.topic);
    buffer_ += ",\"event\":";
    protocol::append_json_string(buffer_, line.event);
    buffer_ += ",\"ref\":";
    append_one_line(buffer_, line.ref);
    buffer_ += ",\"join_ref\":";
    append_one_line(buffer_, line.join_ref);
    buffer_ += ",\"status\":";
    if (line.status.empty()) {
        buffer_ += "null";
    } else {
        protocol::append_json_string(buffer_, line.status);
    }
    if (!line.user_event.empty()) {
        buffer_ += ",\"user_event\":";
        protocol::append_json_string(buffer_, line.user_event);
    }
    if (line.binary) {
        buffer_ += ",\"payload_base64\":\"" + protocol::base64_encode(line.payload) + "\"}\n";
    } else {
        buffer_ += ",\"payload\":";
        append_one_line(buffer_, line.payload);
        buffer_ += "}\n";
    }
}

void Output::append_plain(const Line& line) {
    if (colour_) buffer_ += "\033[2m" + timestamp().substr(11, 12) + "\033[0m \033[36m";
    append_printable(buffer_, line.topic);
    buffer_ += colour_ ? "\033[0m \033[33m" : " ";
    append_printable(buffer_, line.event);
    if (!line.user_event.empty()) {
        buffer_ += '/';
        append_printable(buffer_, line.user_event);
    }
    if (!line.status.empty()) {
        buffer_ += ' ';
        append_printable(buffer_, line.status);
    }
    buffer_ += colour_ ? "\033[0m " : " ";
    if (line.binary) {
        buffer_ += "base64:" + protocol::base64_encode(line.payload);
    } else {
        append_one_line(buffer_, line.payload); // JSON has no raw control characters but white space
    }
    buffer_ += '\n';
}

std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    const auto millis =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[64];
    const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(millis));
    return text;
}

std::string printable_frame(protocol::Opcode opcode, std::string_view frame) {
    std::string out;
    if (opcode == protocol::Opcode::binary) {
        static constexpr char hex[] = "0123456789abcdef";
        out = "hex ";
        for (const char c : frame) {
            out += hex[static_cast<unsigned char>(c) >> 4];
            out += hex[static_cast<unsigned char>(c) & 15];
        }
        return out;
    }
    append_printable(out, frame);
    static constexpr std::string_view key = "\"access_token\"";
    for (auto at = out.find(key); at != std::string::npos; at = out.find(key, at + key.size())) {
        auto from = out.find_first_not_of(" :\t", at + key.size());
        if (from == std::string::npos || out[from++] != '"') continue;
        auto to = from;
        while (to < out.size() && out[to] != '"') to += out[to] == '\\' ? 2 : 1;
        out.replace(from, std::min(to, out.size()) - from, "***");
    }
    return out;
}

} // namespace phx::cli
