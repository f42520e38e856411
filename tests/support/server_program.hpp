#pragma once

#include "tests/support/process.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

inline std::vector<std::string> server_command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PHX_SERVER_PROGRAM);
    return arguments;
}

/// `phx-server`, to its end.
inline Process::Result run_server(std::vector<std::string> arguments, Process::Environment extra = {}) {
    return run(server_command(std::move(arguments)), {}, std::move(extra));
}

/// The port of "listening on 127.0.0.1:PORT"; throws if the program ended before it.
inline std::uint16_t ready_port(Process& program) {
    const std::string line = program.out_line().value();
    return static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
}

inline bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == text.size() - 1;
}

} // namespace phx::test
