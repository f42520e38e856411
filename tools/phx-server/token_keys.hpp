#pragma once

#include "phx/server/token.hpp"

#include <string>

namespace phx::tools {

/// Where the keys of tokens are found; what is not given, in the environment. Secrets are never arguments:
/// everybody on a machine can read those.
struct KeySources {
    std::string secret_file = {}; ///< else PHX_SERVER_JWT_SECRET; a secret per line
    std::string jwks_file = {};   ///< else the text of PHX_SERVER_JWKS
};

inline constexpr const char* secret_variable = "PHX_SERVER_JWT_SECRET";
inline constexpr const char* jwks_variable = "PHX_SERVER_JWKS";

/// Empty where there are none. Errors: system_failure (a file that cannot be read), invalid_argument (one
/// that is empty).
Result<phx::server::TokenKeys> read_token_keys(const KeySources&);

/// The whole of a file of 1 MiB at the most; "-" is stdin.
Result<std::string> read_file(const std::string& path);

} // namespace phx::tools
