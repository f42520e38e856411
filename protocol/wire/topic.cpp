#include "phx/protocol/topic.hpp"

namespace phx::protocol {

std::string realtime_topic(std::string_view name) {
    if (name.substr(0, realtime_prefix.size()) == realtime_prefix) return std::string(name);
    return std::string(realtime_prefix).append(name);
}

bool topic_matches(std::string_view pattern, std::string_view topic) noexcept {
    if (pattern.empty() || pattern.back() != '*') return pattern == topic;
    pattern.remove_suffix(1);
    return topic.substr(0, pattern.size()) == pattern;
}

} // namespace phx::protocol
