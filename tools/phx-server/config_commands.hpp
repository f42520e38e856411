#pragma once

#include "tools/phx-server/flags.hpp"

#include <CLI/CLI.hpp>

namespace phx::tools {

/// `phx-server check-config`: what the server would run with, or what is wrong.
class CheckConfig {
public:
    CheckConfig(CLI::App& program, const Flags&);
    bool is_asked() const { return command_->parsed(); }
    /// The exit code: 0, 1 cannot write, 2 something is wrong. What is only missing (it may come from the
    /// environment of the server) is told, and no fault.
    int run() const;

private:
    CLI::App* command_;
    const Flags& flags_;
};

/// `phx-server default-config`: a file to begin with.
class DefaultConfig {
public:
    explicit DefaultConfig(CLI::App& program);
    bool is_asked() const { return command_->parsed(); }
    /// The exit code: 0, 1 cannot write.
    int run() const;

private:
    CLI::App* command_;
};

} // namespace phx::tools
