#include "tools/phx-server/config_commands.hpp"

#include "tools/phx-server/serve.hpp"

#include <cstdio>
#include <string>

namespace phx::tools {
namespace {

int print(const Config& config) {
    const std::string text =
        write_value(config).dump(2, ' ', false, ConfigJson::error_handler_t::replace) + "\n";
    if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return 0;
    std::fputs("phx-server: cannot write to stdout\n", stderr);
    return 1;
}

/// And what Server::start() would say of the options.
Faults faults_of(const ConfigRead& read) {
    Faults faults = read.faults;
    if (!faults.empty()) return faults;
    server::Options options = server_options(read.config);
    // With a key, which the environment of the server may have, it may listen anywhere.
    if (why_refused(read.config)) options.host = ListenAddress().host;
    if (const auto checked = server::check(options); !checked) faults.add(checked.error().message);
    return faults;
}

} // namespace

CheckConfig::CheckConfig(CLI::App& program, const Flags& flags)
    : command_(
          program.add_subcommand("check-config", "Print the settings in effect, or what is wrong with them")),
      flags_(flags) {
    command_->fallthrough(); // --config and the settings are options of the program
}

int CheckConfig::run() const {
    const ConfigRead read = flags_.read_config();
    const Faults faults = faults_of(read);
    for (const std::string& line : faults.lines()) std::fprintf(stderr, "phx-server: %s\n", line.c_str());
    if (!faults.empty()) return 2;
    if (const auto why = why_refused(read.config))
        std::fprintf(stderr, "phx-server: this is not enough to start: %s\n", why->c_str());
    return print(read.config);
}

DefaultConfig::DefaultConfig(CLI::App& program)
    : command_(
          program.add_subcommand("default-config", "Print all settings with their defaults, as a file")) {}

int DefaultConfig::run() const { return print({}); }

} // namespace phx::tools
