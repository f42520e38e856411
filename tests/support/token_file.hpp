#pragma once

#include "phx/server/token.hpp"

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace phx::test {

/// For a server whose tokens are signed with the secret in a file; nothing if it cannot be read.
inline std::optional<server::TokenOptions> tokens_by_secret_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    server::TokenOptions tokens;
    tokens.keys.secrets = {std::string{std::istreambuf_iterator<char>(file), {}}};
    return tokens;
}

} // namespace phx::test
