#include "tools/phx-server/faults.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace phx::tools {

void Faults::add(std::string line) {
    if (!is_full()) lines_.push_back(std::move(line));
}

std::string shown(std::string_view text) {
    constexpr std::size_t max_bytes = 100;
    using nlohmann::json;
    const std::string quoted =
        json(text.substr(0, max_bytes)).dump(-1, ' ', true, json::error_handler_t::replace);
    return quoted.substr(1, quoted.size() - 2) + (text.size() > max_bytes ? "..." : "");
}

} // namespace phx::tools
