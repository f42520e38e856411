#include "protocol/server/policy.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace phx::protocol::server {
namespace {

using phx::server::Identity;
using phx::server::Policy;
using phx::server::Requirement;

constexpr std::string_view placeholder = "{sub}";

/// `other_user`: the topic has the pattern's form, but another user's id in it.
enum class Fit : std::uint8_t { no, other_user, yes };

Fit fit(std::string_view pattern, std::string_view topic, std::string_view user_id) {
    Fit found = Fit::yes;
    while (!pattern.empty() && pattern != "*") {
        if (pattern.starts_with(placeholder)) {
            // The text between colons as a whole: an id with a colon, or none, equals none.
            const std::string_view segment = topic.substr(0, topic.find(':'));
            if (segment.empty()) return Fit::no;
            if (segment != user_id) found = Fit::other_user;
            pattern.remove_prefix(placeholder.size());
            topic.remove_prefix(segment.size());
        } else {
            if (topic.empty() || topic.front() != pattern.front()) return Fit::no;
            pattern.remove_prefix(1);
            topic.remove_prefix(1);
        }
    }
    return pattern.empty() && !topic.empty() ? Fit::no : found;
}

bool contains(const std::vector<std::string>& list, const std::string& wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

bool meets(const Identity& who, const std::optional<Requirement>& required) {
    if (!required) return false;
    const auto& needed = required->permissions;
    const auto& roles = required->roles;
    return std::all_of(needed.begin(), needed.end(),
                       [&](const std::string& name) { return contains(who.permissions, name); }) &&
           (roles.empty() || std::any_of(roles.begin(), roles.end(),
                                         [&](const std::string& name) { return contains(who.roles, name); }));
}

} // namespace

bool is_valid_pattern(std::string_view pattern) noexcept {
    for (std::size_t at = pattern.find(placeholder); at != pattern.npos;
         at = pattern.find(placeholder, at + 1)) {
        const std::size_t end = at + placeholder.size();
        if (at > 0 && pattern[at - 1] != ':') return false;
        if (end < pattern.size() && pattern[end] != ':') return false;
    }
    return true;
}

Rights rights_of(const std::vector<Policy>& policies, std::string_view topic, const Identity& who,
                 WithoutPolicy without) {
    bool is_open = without == WithoutPolicy::allow;
    for (const Policy& policy : policies) {
        const Fit fits = fit(policy.topic, topic, who.user_id);
        if (fits == Fit::other_user) is_open = false;
        if (fits != Fit::yes) continue;
        const bool enters = meets(who, policy.join) && (!policy.read || meets(who, policy.read));
        return {enters, meets(who, policy.write), meets(who, policy.presence)};
    }
    return {is_open, is_open, is_open};
}

} // namespace phx::protocol::server
