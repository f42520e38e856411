#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace phx::conformance {

/// Sessions of long poll: the recorded tokens, and those that our server gives instead.
class PollTokens {
public:
    /// Puts ours for each recorded one.
    std::string with_ours(std::string target) const;
    /// Lets the expected answer name our session where it names the recorded one: a token of which nothing is
    /// known yet has to be a new one of ours, too.
    void align(nlohmann::json& expected, const nlohmann::json& got);

private:
    std::map<std::string, std::string> ours_of_;
};

} // namespace phx::conformance
