#include "tests/conformance/poll_tokens.hpp"

#include <algorithm>

namespace phx::conformance {

using nlohmann::json;

namespace {

std::string token_of(const json& event) {
    const json body = event.value("body", json());
    return body.is_object() ? body.value("token", "") : "";
}

} // namespace

std::string PollTokens::with_ours(std::string target) const {
    for (const auto& [recorded, ours] : ours_of_) {
        const std::size_t at = target.find(recorded);
        if (at != target.npos) target.replace(at, recorded.size(), ours);
    }
    return target;
}

void PollTokens::align(json& expected, const json& got) {
    const std::string recorded = token_of(expected), ours = token_of(got);
    if (recorded.empty() || ours.empty()) return;
    const auto is_taken = [&](const auto& pair) { return pair.second == ours; };
    if (!ours_of_.contains(recorded) && std::none_of(ours_of_.begin(), ours_of_.end(), is_taken))
        ours_of_[recorded] = ours;
    const auto known = ours_of_.find(recorded);
    if (known != ours_of_.end()) expected["body"]["token"] = known->second;
}

} // namespace phx::conformance
