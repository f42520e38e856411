#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace phx::protocol {

/// The Sec-WebSocket-Key of a client: 16 bytes of the random device, new for every connection (RFC 6455
/// section 4.1).
std::string websocket_key(const std::array<std::uint8_t, 16>& random_bytes);

/// Whether a Sec-WebSocket-Key that a client sent is the base64 of 16 bytes (RFC 6455 section 4.2.1); else
/// answer 400.
bool is_websocket_key(std::string_view key);

/// The Sec-WebSocket-Accept that answers the key (RFC 6455 section 4.2.2).
std::string websocket_accept(std::string_view key);

/// Whether the server's Sec-WebSocket-Accept answers our key; if not, whatever answered is no WebSocket
/// server, or a cache. White space around the value does not count.
bool is_websocket_accept(std::string_view accept, std::string_view key);

} // namespace phx::protocol
