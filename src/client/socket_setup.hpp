#pragma once

#include "phx/options.hpp"

#include <string_view>

namespace phx::shell {

/// What a Socket is made from, judged at once: throws std::invalid_argument with the part that is wrong.
void check_setup(std::string_view url, const SocketSetup&);
/// Likewise of a channel.
void check_channel(const ChannelOptions&);

} // namespace phx::shell
