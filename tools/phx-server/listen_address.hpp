#pragma once

#include "phx/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace phx::tools {

struct ListenAddress {
    std::string host = "127.0.0.1"; ///< without the brackets of an IPv6 address
    std::uint16_t port = 4000;

    std::string text() const; ///< "HOST:PORT", IPv6 in brackets
};

/// Reads "HOST:PORT" and "[IPV6]:PORT"; port 0 is any free one. Errors: invalid_argument.
Result<ListenAddress> parse_listen_address(std::string_view);

} // namespace phx::tools
