#include "src/server/query.hpp"

#include "phx/protocol/endpoint.hpp"
#include "protocol/wire/utf8.hpp"

#include <algorithm>

namespace phx::shell {

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
    constexpr std::size_t most = 100; // the search for equal names is quadratic
    std::vector<std::pair<std::string, std::string>> params;
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        std::string name = protocol::percent_decode(pair.substr(0, equals));
        std::string value = equals == std::string_view::npos
                                ? std::string{}
                                : protocol::percent_decode(pair.substr(equals + 1));
        if (!protocol::is_utf8(name) || !protocol::is_utf8(value))
            return fail(Errc::invalid_argument, "the query is not UTF-8", Origin::peer);
        const auto same =
            std::find_if(params.begin(), params.end(), [&](const auto& p) { return p.first == name; });
        if (same != params.end()) {
            same->second = std::move(value);
        } else if (params.size() == most) {
            return fail(Errc::invalid_argument, "the query has more than 100 parameters", Origin::peer);
        } else {
            params.emplace_back(std::move(name), std::move(value));
        }
    }
    return params;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
    auto params = parse_query(query);
    if (!params) return std::nullopt;
    for (auto& [own, value] : *params) {
        if (own == name) return std::move(value);
    }
    return std::nullopt;
}

} // namespace phx::shell
