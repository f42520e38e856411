#pragma once

#include "phx/protocol/codec.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace phx::protocol {

/// Whether a topic or an event can travel at all: it is UTF-8. ASCII, which nearly all are, costs one look.
inline bool is_valid_text(std::string_view text) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
        return true;
    std::string quoted = "\"";
    for (const char c : text) quoted += static_cast<unsigned char>(c) < 0x80 ? ' ' : c;
    return validate_json(quoted += '"').has_value();
}

/// Whatever is wrong with it, it is the caller's payload that cannot be sent.
inline Result<void> check_json(std::string_view json, std::size_t max_depth) {
    if (const auto valid = validate_json(json, max_depth); !valid) {
        return fail(Errc::invalid_payload, "the payload is no JSON: " + valid.error().message);
    }
    return {};
}

} // namespace phx::protocol
