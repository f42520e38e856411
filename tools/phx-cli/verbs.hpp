#pragma once

#include <CLI/CLI.hpp>

namespace phx::cli {

/// Each adds its verb; the verb's callback does the work and sets `exit_code`.
void add_listen(CLI::App& app, int& exit_code);
void add_push(CLI::App& app, int& exit_code);
void add_call(CLI::App& app, int& exit_code);
void add_send(CLI::App& app, int& exit_code);
void add_presence(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_decode(CLI::App& app, int& exit_code);

} // namespace phx::cli
