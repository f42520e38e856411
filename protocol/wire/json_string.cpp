#include "phx/protocol/codec.hpp"
#include "protocol/wire/json_scan.hpp"
#include "protocol/wire/json_text.hpp"
#include "protocol/wire/json_writer.hpp"

#include <array>

namespace phx::protocol {
namespace wire {
namespace {

unsigned hex4(const char* p) noexcept {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = p[i];
        value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

char* put_utf8(char* out, unsigned code) noexcept {
    const auto tail = [&](unsigned shift) { *out++ = static_cast<char>(0x80u | ((code >> shift) & 0x3Fu)); };
    if (code < 0x80) {
        *out++ = static_cast<char>(code);
    } else if (code < 0x800) {
        *out++ = static_cast<char>(0xC0u | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        *out++ = static_cast<char>(0xE0u | (code >> 12));
        tail(6);
        tail(0);
    } else {
        *out++ = static_cast<char>(0xF0u | (code >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
    return out;
}

} // namespace

std::size_t unescape(std::string_view raw, char* out) noexcept {
    char* const start = out;
    const char* p = raw.data();
    const char* const end = p + raw.size();
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        const char c = p[1];
        p += 2;
        switch (c) {
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        case 'u': {
            unsigned code = hex4(p);
            p += 4;
            if (code >= 0xD800 && code <= 0xDBFF) {
                code = 0x10000 + ((code - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
                p += 6;
            }
            out = put_utf8(out, code);
            break;
        }
        default: *out++ = c; break;
        }
    }
    return static_cast<std::size_t>(out - start);
}

void append_unescaped(std::string& out, std::string_view raw) {
    const std::size_t before = out.size();
    out.resize(before + raw.size());
    out.resize(before + unescape(raw, out.data() + before));
}

bool is_key(const RawString& name, std::string_view key) noexcept {
    if (!name.escaped) return name.text == key;
    constexpr std::size_t longest = 48; // eight characters, each as \uXXXX
    std::array<char, longest> buffer;
    return name.text.size() <= longest &&
           std::string_view(buffer.data(), unescape(name.text, buffer.data())) == key;
}

bool is_plain(std::string_view text) noexcept {
    const char* p = text.data();
    std::size_t left = text.size();
    std::uint64_t word = 0;
    if (left < sizeof word) {
        for (; left != 0; --left, ++p) {
            if (*p == '"' || *p == '\\' || static_cast<unsigned char>(*p) < 0x20) return false;
        }
        return true;
    }
    for (; left > sizeof word; left -= sizeof word, p += sizeof word) {
        std::memcpy(&word, p, sizeof word);
        if (word_needs_escape(word)) return false;
    }
    std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word); // overlaps the one before
    return !word_needs_escape(word);
}

} // namespace wire

void append_json_string(std::string& out, std::string_view text) {
    const wire::Quoted quoted(text);
    const std::size_t before = out.size();
    if (quoted.plain) {
        out.reserve(before + quoted.bound());
        out.push_back('"');
        out.append(text);
        out.push_back('"');
        return;
    }
    out.resize(before + quoted.bound());
    out.resize(static_cast<std::size_t>(wire::write_escaped(out.data() + before, text) - out.data()));
}

std::string_view unquote(JsonToken token, std::string& scratch) {
    std::string_view text = token.text;
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
    text = text.substr(1, text.size() - 2);
    if (text.find('\\') == std::string_view::npos) return text;
    scratch.clear();
    wire::append_unescaped(scratch, text);
    return scratch;
}

Result<void> validate_json(std::string_view text, std::size_t max_depth) {
    wire::JsonReader reader(text, max_depth);
    std::string_view value;
    reader.skip_space();
    if (reader.value(value) && reader.finish()) return {};
    Failure failure = reader.failure();
    failure.error.origin = Origin::local;
    if (reader.code() == Errc::malformed_frame) failure.error.code = make_error_code(Errc::invalid_payload);
    return failure;
}

} // namespace phx::protocol
