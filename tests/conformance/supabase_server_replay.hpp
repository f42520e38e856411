#pragma once

#include "tests/conformance/differences.hpp"
#include "tests/conformance/scenario.hpp"

#include <string>

namespace phx::conformance {

/// Plays the clients of a recording of Supabase Realtime, those of HTTP too, to a server of ours over
/// sockets, as replay() does with those of Phoenix. Tokens are signed anew. Returns what is wrong, with a
/// transcript; empty: nothing.
std::string replay_supabase_to_server(const Scenario&, const Table&);

} // namespace phx::conformance
