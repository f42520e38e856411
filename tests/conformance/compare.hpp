#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace phx::conformance {

/// Compares events by value. Presence refs differ in every run, so they only have to be alike: the same ref
/// of the recording always stands for the same ref of ours, and two for two. One object lives as long as one
/// replay.
class EventComparer {
public:
    /// Empty when they are equal, otherwise where and how they differ. `ours` has to have well-formed
    /// presence refs.
    std::string difference(const nlohmann::json& recorded, const nlohmann::json& ours);

private:
    std::string compare(const nlohmann::json& recorded, const nlohmann::json& ours, const std::string& path);
    std::string compare_objects(const nlohmann::json& recorded, const nlohmann::json& ours,
                                const std::string& path);
    std::string compare_refs(const nlohmann::json& recorded, const nlohmann::json& ours,
                             const std::string& path);

    std::map<std::string, std::string> ours_of_;     // by the recording's
    std::map<std::string, std::string> recorded_of_; // by ours
};

} // namespace phx::conformance
