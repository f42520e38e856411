#pragma once

#include "phx/server/handlers.hpp"

namespace phx::tools {

/// A channel for trying things out; `echo_help` says what it does.
phx::server::Handlers echo_handlers();

inline constexpr const char* echo_help =
    "Topics:\n"
    "  realtime:*  as Supabase Realtime: broadcast (self, ack), presence, private rooms, replay, changes,\n"
    "              access_token\n"
    "  any other   echo: a join is accepted; by event, a push\n"
    "    broadcast, shout  goes to every member of the topic, the sender too, and is answered with ok {}\n"
    "    error             is answered with status \"error\" and its own payload\n"
    "    noreply           is not answered\n"
    "    stop              ends the channel (phx_close)\n"
    "    crash             crashes the channel (phx_error)\n"
    "    any other         is answered with ok and its own payload, JSON or binary\n";

} // namespace phx::tools
