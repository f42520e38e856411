#pragma once

#include "phx/server/connection.hpp"
#include "phx/server/policy.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace phx::protocol::server {

/// What somebody may do on a topic.
struct Rights {
    bool enter = true; ///< join and read
    bool write = true;
    bool presence = true;
};

/// What holds for a topic that no policy is about.
enum class WithoutPolicy : std::uint8_t { deny, allow };

/// Whether each `{sub}` of a pattern stands alone between colons.
bool is_valid_pattern(std::string_view pattern) noexcept;

Rights rights_of(const std::vector<phx::server::Policy>&, std::string_view topic,
                 const phx::server::Identity&, WithoutPolicy);

} // namespace phx::protocol::server
