#pragma once

#include "phx/result.hpp"

#include <string>
#include <string_view>

namespace phx::protocol::realtime {

/// The socket's endpoint of what a user knows: a project's URL without a path is that of Supabase's gateway
/// (supabase-js SupabaseClient.ts), with `/realtime/v1` behind it; everything else stays. Errors: as
/// parse_url.
Result<std::string> socket_endpoint(std::string_view url);

} // namespace phx::protocol::realtime
