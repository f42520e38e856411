#pragma once

#include "phx/export.hpp"
#include "phx/server/handlers.hpp"

#include <string_view>

namespace phx::shell {

/// Puts the requests, handle_in and the middleware around them into one handle_in. Throws
/// std::invalid_argument for handlers that cannot work. Exported for phx_testing.
PHX_API phx::server::Handlers prepared(std::string_view pattern, phx::server::Handlers);

} // namespace phx::shell
