#include "tests/conformance/scenario.hpp"

#include "tests/conformance/http_event.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace phx::conformance {

using nlohmann::json;

namespace {

Step parse_step(json line) {
    Step step;
    step.seq = line.at("seq").get<int>();
    step.at_ms = line.value("t_ms", 0.0);
    step.connection = line.value("conn", "");
    const std::string direction = line.value("dir", "");
    if (direction == "c2s") step.sender = Sender::client;
    if (direction == "s2c") step.sender = Sender::server;
    step.kind = line.at("kind").get<std::string>();
    step.line = std::move(line);
    return step;
}

/// What follows the long value of a cut text: all of them are pushes of `{"p":"xxx..."}` or `{"d":[[[...]]]}`
/// with ref "2" to room:lobby, and the replies to them.
std::string_view tail_of_cut_text(const Step& step, std::string_view prefix) {
    const bool v1 = prefix.starts_with('{');
    if (step.sender == Sender::client) return v1 ? R"(},"ref":"2"})" : "}]";
    return v1 ? R"(},"status":"ok"},"ref":"2","topic":"room:lobby"})" : R"(},"status":"ok"}])";
}

std::string restore(const Step& step) {
    const std::string prefix = step.line.at("data_prefix").get<std::string>();
    const std::size_t length = step.line.at("len").get<std::size_t>();
    const std::string_view tail = tail_of_cut_text(step, prefix);
    const char filler = prefix.back();
    const std::string head = prefix.substr(0, prefix.find_last_not_of(filler) + 1);
    const std::size_t left = length - head.size() - tail.size();
    std::string text = head;
    if (filler == '[') {
        text += std::string(left / 2, '[') + std::string(left / 2, ']');
    } else {
        text += std::string(left - 1, filler) + '"';
    }
    text += tail;
    if (text.size() != length || !json::accept(text)) {
        throw std::runtime_error("cannot restore the cut text of seq " + std::to_string(step.seq));
    }
    return text;
}

json upgrade_of(const json& line) {
    json event = {{"upgrade", line.at("status")}};
    const json headers = line.value("headers", json::object());
    for (const char* name : chosen_by_upgrade)
        if (headers.contains(name)) event[name] = headers[name];
    return event;
}

json http_event_of(std::string_view kind, const json& line) {
    const json recorded = line.value("headers", json::object());
    std::vector<std::pair<std::string, std::string>> headers;
    for (const auto& [name, value] : recorded.items()) headers.emplace_back(name, value.get<std::string>());
    return http_event(kind, line.at("status").get<int>(), headers, line.value("body", ""));
}

} // namespace

Scenario load_scenario(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    Scenario scenario;
    scenario.name = file.stem().string();
    std::string text;
    bool is_ended = false;
    while (std::getline(in, text)) {
        json line = json::parse(text, nullptr, false);
        if (!line.is_object() || is_ended)
            throw std::runtime_error(file.string() + ": no recording: " + text);
        const std::string kind = line.value("kind", "");
        if (kind == "scenario") {
            scenario.description = line.value("description", "");
        } else if (kind == "end") {
            is_ended = true;
        } else {
            scenario.steps.push_back(parse_step(std::move(line)));
        }
    }
    if (!is_ended) throw std::runtime_error(file.string() + ": ends early");
    return scenario;
}

std::vector<std::string> scenario_names(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".jsonl") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string payload_of(const Step& step) {
    if (step.line.contains("hex")) return from_hex(step.line["hex"].get<std::string>());
    if (step.line.contains("data_prefix")) return restore(step);
    return step.line.at("data").get<std::string>();
}

json event_of(const Step& step) {
    const json& line = step.line;
    if (step.kind == "frame") {
        const std::string opcode = line.at("opcode").get<std::string>();
        if (opcode == "text") {
            json value = json::parse(payload_of(step), nullptr, false);
            return value.is_discarded() ? json{{"no json", payload_of(step)}}
                                        : json{{"text", std::move(value)}};
        }
        return {{opcode, line.at("hex")}};
    }
    if (step.kind == "close") return {{"close", line.at("code")}, {"reason", line.value("reason", "")}};
    if (step.kind == "upgrade") return upgrade_of(line);
    if (step.kind == "upgrade_refused") return http_event_of("refused", line);
    if (step.kind == "http_response") return http_event_of("response", line);
    throw std::runtime_error("a server cannot send a " + step.kind);
}

} // namespace phx::conformance
