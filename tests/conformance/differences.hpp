#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::conformance {

/// One recorded event of a server that ours does not send, with what it sends instead.
struct Difference {
    int seq = 0;
    std::vector<nlohmann::json> ours = {}; ///< in the form of event_of(); none: silence
    std::vector<std::string> reasons = {}; ///< keys of Table::reasons
};

struct Reason {
    enum class Kind : std::uint8_t {
        deliberate, ///< we decided so
        race,       ///< the real server answers now this way, now that way; ours always in one way
    } kind = Kind::deliberate;
    std::string text = {};
};

/// What differences.json says.
struct Table {
    std::map<std::string, Reason> reasons = {};
    std::map<std::string, std::vector<Difference>> differences = {}; ///< by scenario
    std::map<std::string, std::string> out_of_scope = {};            ///< scenario, why it is not replayed

    const Difference* find(const std::string& scenario, int seq) const;
    /// Whether the scenario has a difference of this kind.
    bool has(const std::string& scenario, Reason::Kind kind) const;
};

/// Throws std::runtime_error for a table of another shape, an unknown reason, or a reason that nothing uses.
Table parse_table(const nlohmann::json& document);
Table load_table(const std::filesystem::path& file);

/// The table as Markdown, for README.md: reasons with the scenarios that they explain.
std::string render(const Table& table);

} // namespace phx::conformance
