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

} // namespace phx::protocol
