#pragma once

#include <array>
#include <string_view>

namespace phx::protocol {

/// FIPS 180-4. Broken as a signature; the opening handshake of WebSocket asks for it all the same.
std::array<char, 20> sha1(std::string_view bytes) noexcept;

} // namespace phx::protocol
