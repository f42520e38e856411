#include "phx/server/route.hpp"

#include <array>

namespace phx::server {
namespace {

struct Name {
    std::string_view text;
    Route::Kind kind;
};
constexpr std::array names{Name{"user", Route::Kind::user}, Name{"role", Route::Kind::role},
                           Name{"connection", Route::Kind::connection}, Name{"topic", Route::Kind::topic}};

} // namespace

std::optional<Route> parse_route(std::string_view text) {
    if (text == "all") return Route::all();
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
    for (const Name& name : names) {
        if (text.substr(0, colon) == name.text) return Route{name.kind, std::string(text.substr(colon + 1))};
    }
    return std::nullopt;
}

std::string to_string(const Route& route) {
    for (const Name& name : names) {
        if (name.kind == route.kind) return std::string(name.text) + ':' + route.target;
    }
    return "all";
}

} // namespace phx::server
