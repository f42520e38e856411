#pragma once

#include "phx/server/token.hpp"

#include <string>

namespace phx::protocol::auth {

/// What a refused token is answered with, in one place. None of it holds a part of the token but its `kid`.
/// Texts of Supabase are literal (realtime 2.129.8: user_socket.ex, realtime_channel.ex); the ones for `nbf`,
/// `aud` and `iss`, which it does not check, are ours.
struct HttpRefusal {
    int status = 401;
    std::string text = {};
};

/// Of an upgrade on a Supabase endpoint; the text goes into `{"error":text}`.
HttpRefusal supabase_connect_refusal(const phx::server::TokenRefusal&);
/// Of a join, `Code: text`.
std::string supabase_join_reason(const phx::server::TokenRefusal&);
/// Of the `system` message before a channel ends.
std::string supabase_system_message(const phx::server::TokenRefusal&);
/// For people: logs, and what a program prints. One line.
std::string sentence_of(const phx::server::TokenRefusal&);
/// Of an upgrade on a Phoenix endpoint, which has an empty body: what `connect/3` returning `:error` gives.
constexpr int phoenix_connect_status = 403;

} // namespace phx::protocol::auth
