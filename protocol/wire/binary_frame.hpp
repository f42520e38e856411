#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

/// What the binary kinds share: a kind byte, one length byte per field, the fields, the payload.
///
/// | kind | direction | lengths                                                  | fields, then the payload |
/// |------|-----------|----------------------------------------------------------|--------------------------------------------------|
/// | 0    | to server | join_ref ref topic event                                 | join_ref ref topic event |
/// | 0    | to client | join_ref topic event                                     | join_ref topic event | | 1
/// | to client | join_ref ref topic status                                | join_ref ref topic status | | 2
/// | to client | topic event                                              | topic event | | 3    | to server
/// | join_ref ref topic user_event metadata, encoding byte    | join_ref ref topic user_event metadata | | 4
/// | to client | topic user_event metadata, encoding byte                 | topic user_event metadata |
///
/// Kinds 0, 1, 2: phoenix v2_json_serializer.ex and serializer.js. Kinds 3, 4: realtime-js serializer.ts and
/// supabase/realtime v2_serializer.ex. Encoding 0 is raw bytes, anything else JSON.
namespace phx::protocol::wire {

enum class Field : unsigned char { join_ref, ref, topic, event, status, user_event, metadata };
enum class Encoding : bool { none, present };

struct Layout {
    unsigned char kind = 0;
    unsigned char count = 0;
    std::array<Field, 5> fields = {};
    Encoding encoding = Encoding::none;

    std::size_t header_bytes() const noexcept {
        return 1u + count + (encoding == Encoding::present ? 1u : 0u);
    }
};

/// Null when no such frame travels in this direction.
const Layout* find_layout(Direction, unsigned char kind) noexcept;
std::string_view name_of(Field) noexcept;

} // namespace phx::protocol::wire
