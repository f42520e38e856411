#pragma once

#include "tests/conformance/differences.hpp"
#include "tests/conformance/scenario.hpp"

#include <string>

namespace phx::conformance {

/// Plays the clients of a recording of Supabase Realtime to a ServerMachine, in virtual time, and compares
/// what it answers. Returns what is wrong, with a transcript; empty: nothing.
std::string replay_supabase(const Scenario&, const Table&);

} // namespace phx::conformance
