#pragma once

#include <string>

namespace phx::server {

/// Somebody who is present at a node. `id` is unique at its node; `value` is opaque.
struct PresenceEntry {
    std::string node = {};
    std::string id = {};
    std::string value = {};

    friend bool operator==(const PresenceEntry&, const PresenceEntry&) = default;
};

} // namespace phx::server
