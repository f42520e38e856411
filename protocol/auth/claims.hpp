#pragma once

#include "phx/server/token.hpp"

#include <string_view>

namespace phx::protocol::auth {

/// The end of the year 9999: a later time is a mistake, such as milliseconds for seconds.
constexpr std::int64_t last_second = 253402300799;

/// Judges what a token claims. `payload` is its second part, base64url; its signature has been checked.
phx::server::TokenVerdict read_claims(std::string_view payload, const phx::server::TokenRules& rules,
                                      std::chrono::system_clock::time_point now);

} // namespace phx::protocol::auth
