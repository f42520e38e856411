#pragma once

#include "tools/phx-server/field.hpp"

#include <optional>
#include <string_view>

namespace phx::tools {

/// Reads JSON (RFC 8259) of at most 1 MiB and 16 levels, in which no member has the name of another one of
/// its object. What is wrong is told with line and column; `where` begins the fault.
std::optional<ConfigJson> parse_config_text(std::string_view, Faults&,
                                            std::string_view where = "the configuration");

inline constexpr std::size_t max_config_bytes = 1u << 20;

} // namespace phx::tools
