#pragma once

#include "protocol/wire/proxy.hpp"

namespace phx::shell {

/// The proxies that the environment of this process names.
protocol::ProxyVariables proxy_environment();

} // namespace phx::shell
