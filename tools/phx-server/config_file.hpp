#pragma once

#include "phx/result.hpp"

#include <string>

namespace phx::tools {

/// The text of a file of 1 MiB at the most. Errors: system_failure.
Result<std::string> read_config_file(const std::string& path);

} // namespace phx::tools
