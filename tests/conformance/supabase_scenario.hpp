#pragma once

#include "phx/server/policy.hpp"
#include "tests/conformance/scenario.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace phx::conformance {

/// A recording of Supabase Realtime with its lines in the words of those of Phoenix: connect, frame, close,
/// pong, upgrade, upgrade_refused, http_request, http_response; `seq` is the number of the line. SQL is
/// `sql`.
Scenario load_supabase_scenario(const std::filesystem::path& file);

/// What the clock said, in milliseconds since 1970, when the recording began: tokens were made when they were
/// used, and say the second.
std::int64_t began_at_ms(const Scenario&);

/// The claims of a token, nobody having looked at its signature; null if it is none.
nlohmann::json claims_of(std::string_view token);
/// Whether it was signed with a secret that the recorded server did not know.
bool is_forged(std::string_view token);

/// As the rules of the recorded database were.
std::vector<phx::server::Policy> recorded_policies();

/// The real server answers a track and tells of it in no order.
bool is_presence_diff(const nlohmann::json& event);

} // namespace phx::conformance
