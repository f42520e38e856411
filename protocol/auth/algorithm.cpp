#include "protocol/auth/algorithm.hpp"

#include <array>
#include <utility>

namespace phx::protocol::auth {
namespace {

constexpr std::array<std::pair<std::string_view, KeyKind>, 10> algorithms = {{
    {"HS256", KeyKind::secret},
    {"HS384", KeyKind::secret},
    {"HS512", KeyKind::secret},
    {"RS256", KeyKind::rsa},
    {"RS384", KeyKind::rsa},
    {"RS512", KeyKind::rsa},
    {"ES256", KeyKind::p256},
    {"ES384", KeyKind::p384},
    {"ES512", KeyKind::p521},
    {"EdDSA", KeyKind::ed25519},
}}; // in the order of the enumeration

} // namespace

std::optional<Algorithm> algorithm_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < algorithms.size(); ++i)
        if (algorithms[i].first == name) return static_cast<Algorithm>(i);
    return std::nullopt;
}

std::string_view name_of(Algorithm algorithm) noexcept {
    return algorithms[static_cast<std::size_t>(algorithm)].first;
}

bool fits(KeyKind kind, Algorithm algorithm) noexcept {
    return algorithms[static_cast<std::size_t>(algorithm)].second == kind;
}

std::size_t coordinate_bytes(KeyKind kind) noexcept {
    return kind == KeyKind::p256 ? 32 : kind == KeyKind::p384 ? 48 : 66;
}

} // namespace phx::protocol::auth
