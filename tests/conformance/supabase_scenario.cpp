#include "tests/conformance/supabase_scenario.hpp"

#include "phx/protocol/base64.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace phx::conformance {

using nlohmann::json;

namespace {

/// The recorder signed these with another secret.
constexpr std::string_view forged_signatures[] = {"GXqEZMGBgYdSiVGxBAmm_fXNRpvePQPfqXM0RzQ6bO8",
                                                  "npWUPdDr33IQBF4f4EIzetJ2cAylmpTgpn8OyjmeMnQ",
                                                  "ymlHMBxo_Mv60OkJn3TULdlEupA5Rp14BuyrZ1Ynt4E"};

/// Of the keys `text` and `hex` of a line.
void read_payload(const json& line, Step& step, const std::string& opcode) {
    step.kind = "frame";
    step.line["opcode"] = opcode;
    if (line.contains("hex")) step.line["hex"] = line["hex"];
    if (line.contains("text")) step.line["data"] = line["text"];
}

/// An answer on a connection refuses its upgrade.
void read_http(const json& line, Step& step) {
    const bool is_refusal = !step.connection.empty();
    step.kind = step.sender != Sender::server ? "http_request"
                : is_refusal                  ? "upgrade_refused"
                                              : "http_response";
    if (line.contains("text")) step.line["body"] = line["text"];
    if (line.contains("hex")) step.line["body"] = from_hex(line["hex"].get<std::string>());
}

Step parse_step(int number, const json& line) {
    Step step;
    step.seq = number;
    step.at_ms = line.value("t", 0.0);
    step.connection = line.value("conn", "");
    const std::string direction = line.value("dir", ""), op = line.value("op", "");
    if (direction == "in") step.sender = Sender::server;
    if (direction == "out" || direction == "open") step.sender = Sender::client;
    step.kind = direction.empty() ? "note" : op;
    step.line = line;
    if (direction == "open") step.kind = "connect";
    if (direction == "sql" || direction == "error") step.kind = direction;
    if (op == "http") read_http(line, step);
    if (op == "text" || op == "binary" || op == "pong") read_payload(line, step, op);
    if (op == "handshake") step.sender = Sender::nobody; // the client's word for the upgrade
    return step;
}

} // namespace

Scenario load_supabase_scenario(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    Scenario scenario;
    scenario.name = file.stem().string();
    int number = 0;
    for (std::string text; std::getline(in, text);) {
        json line = json::parse(text, nullptr, false);
        if (!line.is_object()) throw std::runtime_error(file.string() + ": no recording: " + text);
        scenario.steps.push_back(parse_step(++number, line));
    }
    return scenario;
}

json claims_of(std::string_view token) {
    const std::size_t first = token.find('.'), second = token.rfind('.');
    if (first == token.npos || first == second) return nullptr;
    const auto text =
        protocol::base64_decode(token.substr(first + 1, second - first - 1), protocol::Base64Alphabet::url,
                                protocol::Base64Padding::unpadded);
    json claims = text ? json::parse(*text, nullptr, false) : json();
    return claims.is_object() ? claims : json(nullptr);
}

bool is_forged(std::string_view token) {
    return std::any_of(std::begin(forged_signatures), std::end(forged_signatures),
                       [token](std::string_view signature) { return token.ends_with(signature); });
}

std::vector<phx::server::Policy> recorded_policies() {
    using phx::server::Requirement;
    const Requirement users{.roles = {"authenticated", "service_role"}};
    return {{.topic = "realtime:room:*", .join = users, .write = users, .presence = users},
            {.topic = "realtime:ro:*", .join = users, .presence = users}};
}

bool is_presence_diff(const json& event) {
    return event.dump().find("\"presence_diff\"") != std::string::npos;
}

std::int64_t began_at_ms(const Scenario& scenario) {
    std::int64_t latest = 0;
    for (const Step& step : scenario.steps) {
        if (step.kind != "connect") continue;
        const std::string url = step.line.at("url").get<std::string>();
        const std::size_t at = url.find("apikey=");
        const json claims =
            at == url.npos ? json() : claims_of(url.substr(at + 7, url.find('&', at) - at - 7));
        if (!claims.contains("iat")) continue;
        const auto began = 1000 * claims["iat"].get<std::int64_t>() - static_cast<std::int64_t>(step.at_ms);
        latest = std::max(latest, began);
    }
    return latest;
}

} // namespace phx::conformance
