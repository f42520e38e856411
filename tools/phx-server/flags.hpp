#pragma once

#include "tools/phx-server/config.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace phx::tools {

/// The settings as options of a command line, with `--config FILE` and `-v`.
class Flags {
public:
    explicit Flags(CLI::App&);
    /// Reads the file, the environment, the flags and the keys, each time anew.
    ConfigRead read_config() const;

private:
    struct Flag {
        std::string key;
        std::string text;
        CLI::Option* option;
    };
    std::string config_file_;
    bool verbose_ = false;
    std::vector<Flag> flags_;
};

} // namespace phx::tools
