#pragma once

#include <string>
#include <string_view>

namespace phx::conformance {

/// What signs the tokens of a replay.
inline constexpr std::string_view replay_secret = "the secret of a replay, as long as a hash is";

/// The text with each token (JWT) in it as if it had been made now: its times moved by its age, and signed
/// with `replay_secret`, or with another one if the recorder had done so. What is no token stays.
std::string with_fresh_tokens(std::string_view text);

} // namespace phx::conformance
