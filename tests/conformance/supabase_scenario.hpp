#pragma once

#include "tests/conformance/scenario.hpp"

#include <cstdint>
#include <filesystem>

namespace phx::conformance {

/// A recording of Supabase Realtime with its lines in the words of those of Phoenix: connect, frame, close,
/// pong; `seq` is the number of the line. What HTTP and SQL did is `http_request` and `sql`.
Scenario load_supabase_scenario(const std::filesystem::path& file);

/// What the clock said, in milliseconds since 1970, when the recording began: tokens were made when they were
/// used, and say the second.
std::int64_t began_at_ms(const Scenario&);

/// The claims of a token, nobody having looked at its signature; null if it is none.
nlohmann::json claims_of(std::string_view token);

} // namespace phx::conformance
