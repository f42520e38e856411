#pragma once

#include "tests/support/hex.hpp"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace phx::conformance {

using test::from_hex;
using test::to_hex;

enum class Sender : std::uint8_t { nobody, client, server };

/// One line of a recording, in the order in which the recorder saw it.
struct Step {
    int seq = 0;
    double at_ms = 0; ///< since the scenario began
    std::string connection = {};
    Sender sender = Sender::nobody;
    std::string kind = {};
    nlohmann::json line = {}; ///< all of it
};

/// One recording: what a client and the real server said to each other.
struct Scenario {
    std::string name = {}; ///< of the file, without its extension
    std::string description = {};
    std::vector<Step> steps = {}; ///< without the first and the last line
};

/// Throws std::runtime_error, with the line, for a file that is no recording.
Scenario load_scenario(const std::filesystem::path& file);
/// The names of all recordings of a folder, sorted.
std::vector<std::string> scenario_names(const std::filesystem::path& folder);

/// The payload of a recorded frame or fragment. Texts that the recorder has cut (`data_prefix`) are restored.
std::string payload_of(const Step& step);

/// The headers of an upgrade by which a server says what it has chosen of what the client offered.
inline constexpr const char* chosen_by_upgrade[] = {"sec-websocket-extensions", "sec-websocket-protocol"};

/// What a server's step is compared by: {"text": JSON}, {"binary": hex}, {"pong": hex}, {"close": code,
/// "reason": ...}, {"upgrade": 101} with what it chose, or as http_event() says "refused" and "response".
nlohmann::json event_of(const Step& step);

} // namespace phx::conformance
