#include "protocol/wire/handshake.hpp"

#include "phx/protocol/base64.hpp"
#include "protocol/wire/sha1.hpp"

namespace phx::protocol {
namespace {

constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 section 1.3
constexpr std::size_t key_bytes = 16;

std::string_view trim(std::string_view value) {
    constexpr std::string_view white_space = " \t";
    const std::size_t first = value.find_first_not_of(white_space);
    if (first == std::string_view::npos) return {};
    return value.substr(first, value.find_last_not_of(white_space) - first + 1);
}

} // namespace

std::string websocket_key(const std::array<std::uint8_t, key_bytes>& random_bytes) {
    return base64_encode({reinterpret_cast<const char*>(random_bytes.data()), random_bytes.size()});
}

bool is_websocket_key(std::string_view key) {
    const auto bytes = base64_decode(trim(key));
    return bytes && bytes->size() == key_bytes;
}

std::string websocket_accept(std::string_view key) {
    std::string text(trim(key));
    text += guid;
    const auto digest = sha1(text);
    return base64_encode({digest.data(), digest.size()});
}

bool is_websocket_accept(std::string_view accept, std::string_view key) {
    return trim(accept) == websocket_accept(key);
}

} // namespace phx::protocol
