#pragma once

#include "phx/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

/// The parameters of a query, decoded, in their order; of equal names the last, as in Plug. An error if one
/// is not UTF-8, or if there are more than a hundred.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

/// One of them; none also when the query cannot be read.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

} // namespace phx::shell
