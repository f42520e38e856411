#pragma once

#include "args.hpp"

#include <string>
#include <vector>

namespace phx::cli {

/// `send URL --to ROUTE EVENT JSON`: posts to the HTTP API of phx-server and prints to how many connections
/// the message went; with --json what the server answered.
ExitCode send_to_route(ConnectArgs&, const std::string& route, std::vector<std::string> words);

} // namespace phx::cli
