#pragma once

#include <cstddef>
#include <string>

namespace phx::server {

/// A topic, and how many have joined it. Public and private rooms of one name count together.
struct TopicCount {
    std::string name = {};
    std::size_t members = 0;

    friend bool operator==(const TopicCount&, const TopicCount&) = default;
};

} // namespace phx::server
