#pragma once

#include <cstdint>
#include <string>
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

} // namespace phx::server
