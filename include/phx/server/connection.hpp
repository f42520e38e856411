#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phx::server {

/// Who somebody is: what a verified token, or `Options::authorize`, said.
struct Identity {
    std::string user_id = {};                                             ///< empty: anonymous
    std::vector<std::string> roles = {};                                  ///< such as "authenticated"
    std::vector<std::string> permissions = {};                            ///< such as "rooms:write"
    std::string claims = "{}";                                            ///< of the token, as a JSON object
    std::optional<std::chrono::system_clock::time_point> expires_at = {}; ///< none: never

    friend bool operator==(const Identity&, const Identity&) = default;
};

/// Who is at the other end of a connection: an immutable record, shared by everything that concerns it. A
/// reference to it is valid during the call that gave it; a shared pointer outlives the connection.
struct Connection : Identity {
    std::string id = {};        ///< unique on this server, and among servers that share a broker
    std::string socket_id = {}; ///< Phoenix' `id/1`, such as "users:7": Actions::disconnect finds it by this
    std::string params = "{}";  ///< query parameters of the connect, as a JSON object of strings
    std::string peer = {};      ///< address
    std::chrono::system_clock::time_point connected_at = {};
};

/// What has become of a connection.
enum class ConnectionChange : std::uint8_t { opened, ended };

} // namespace phx::server
