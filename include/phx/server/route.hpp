#pragma once

#include "phx/export.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace phx::server {

/// Whom a message is for.
struct Route {
    enum class Kind : std::uint8_t { all, user, role, connection, topic };

    Kind kind = Kind::all;
    std::string target = {}; ///< user id, role, connection id or topic; of `all`: nothing

    static Route all() { return {}; }
    static Route user(std::string id) { return {Kind::user, std::move(id)}; }
    static Route role(std::string name) { return {Kind::role, std::move(name)}; }
    static Route connection(std::string id) { return {Kind::connection, std::move(id)}; }
    static Route topic(std::string name) { return {Kind::topic, std::move(name)}; }

    friend bool operator==(const Route&, const Route&) = default;
};

/// "all", "user:7", "role:admin", "connection:ID", "topic:room:lobby", as in the HTTP API and in phx-cli;
/// none for anything else.
PHX_API std::optional<Route> parse_route(std::string_view);
PHX_API std::string to_string(const Route&);

} // namespace phx::server
