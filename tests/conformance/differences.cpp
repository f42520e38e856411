#include "tests/conformance/differences.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <stdexcept>

namespace phx::conformance {

using nlohmann::json;

namespace {

Reason parse_reason(const json& entry) {
    Reason reason;
    const std::string kind = entry.at("kind").get<std::string>();
    if (kind != "deliberate" && kind != "race") throw std::runtime_error("no kind of reason: " + kind);
    if (kind == "race") reason.kind = Reason::Kind::race;
    reason.text = entry.at("text").get<std::string>();
    return reason;
}

Difference parse_difference(const json& entry, const Table& table) {
    Difference difference;
    difference.seq = entry.at("seq").get<int>();
    difference.ours = entry.at("ours").get<std::vector<json>>();
    difference.reasons = entry.at("reasons").get<std::vector<std::string>>();
    if (difference.reasons.empty()) throw std::runtime_error("a difference without a reason");
    for (const std::string& reason : difference.reasons) {
        if (!table.reasons.contains(reason)) throw std::runtime_error("no such reason: " + reason);
    }
    return difference;
}

/// Scenarios of a reason: `v1_crash` and `v2_crash` become `v1/v2_crash`.
std::string join_names(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        const std::string rest = name.substr(name.find('_') + 1);
        const bool both = names.contains("v1_" + rest) && names.contains("v2_" + rest);
        if (both && name.starts_with("v2_")) continue;
        text += (text.empty() ? "`" : ", `") + (both ? "v1/v2_" + rest : name) + "`";
    }
    return text;
}

std::string rows(const Table& table, Reason::Kind kind) {
    std::string text;
    for (const auto& [key, reason] : table.reasons) {
        if (reason.kind != kind) continue;
        std::set<std::string> names;
        for (const auto& [scenario, differences] : table.differences) {
            for (const Difference& difference : differences) {
                const auto& keys = difference.reasons;
                if (std::find(keys.begin(), keys.end(), key) != keys.end()) names.insert(scenario);
            }
        }
        text += "| " + reason.text + " | " + join_names(names) + " |\n";
    }
    return text;
}

} // namespace

const Difference* Table::find(const std::string& scenario, int seq) const {
    const auto found = differences.find(scenario);
    if (found == differences.end()) return nullptr;
    const auto at = std::find_if(found->second.begin(), found->second.end(),
                                 [&](const Difference& difference) { return difference.seq == seq; });
    return at == found->second.end() ? nullptr : &*at;
}

bool Table::has(const std::string& scenario, Reason::Kind kind) const {
    const auto found = differences.find(scenario);
    if (found == differences.end()) return false;
    for (const Difference& difference : found->second) {
        for (const std::string& reason : difference.reasons) {
            if (reasons.at(reason).kind == kind) return true;
        }
    }
    return false;
}

Table parse_table(const json& document) {
    Table table;
    for (const auto& [key, entry] : document.at("reasons").items()) table.reasons[key] = parse_reason(entry);
    std::set<std::string> used;
    for (const auto& [scenario, entries] : document.at("differences").items()) {
        std::vector<Difference>& differences = table.differences[scenario];
        for (const json& entry : entries) {
            const Difference& added = differences.emplace_back(parse_difference(entry, table));
            used.insert(added.reasons.begin(), added.reasons.end());
        }
        if (differences.empty()) throw std::runtime_error(scenario + " has no differences");
    }
    for (const auto& [key, reason] : table.reasons) {
        if (!used.contains(key)) throw std::runtime_error("nothing differs for the reason " + key);
    }
    table.out_of_scope = document.at("out_of_scope").get<std::map<std::string, std::string>>();
    return table;
}

Table load_table(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    return parse_table(json::parse(in));
}

std::string render(const Table& table) {
    std::string text =
        "| Deliberate difference | Scenarios |\n|---|---|\n" + rows(table, Reason::Kind::deliberate);
    text += "\n| Race of the real server | Scenarios |\n|---|---|\n" + rows(table, Reason::Kind::race);
    text += "\n| Not replayed | Why |\n|---|---|\n";
    for (const auto& [scenario, why] : table.out_of_scope) text += "| `" + scenario + "` | " + why + " |\n";
    return text;
}

} // namespace phx::conformance
