#pragma once

#include "phx/server/server.hpp"
#include "tools/phx-server/field.hpp"
#include "tools/phx-server/listen_address.hpp"
#include "tools/phx-server/log.hpp"
#include "tools/phx-server/token_keys.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::tools {

/// What `phx-server` runs with.
struct Config {
    ListenAddress listen = {};
    bool insecure_no_auth = false;
    KeySources keys = {};
    server::TokenRules token_rules = {};
    server::TlsCertificate tls = {}; ///< without a cert_file: no TLS
    bool echo = true;
    std::chrono::milliseconds drain_spread{5'000};
    std::chrono::milliseconds drain_timeout{30'000};
    LogOptions log = {};
    /// But for host, port and tls. Its tokens are read from `keys` by whoever reads files.
    server::Options options = {.status_page = true};
};

/// All settings, in the order of --help. From this table are made the config file, the flags, the environment
/// variables, --help, `default-config` and `check-config`: a setting is one line in it.
template <> struct FieldsOf<Config> { static const std::vector<Field<Config>>& all(); };
template <> struct FieldsOf<server::Endpoint> { static const std::vector<Field<server::Endpoint>>& all(); };
template <> struct FieldsOf<server::Policy> { static const std::vector<Field<server::Policy>>& all(); };
template <> struct FieldsOf<server::Requirement> {
    static const std::vector<Field<server::Requirement>>& all();
};
template <> struct FieldsOf<server::History> { static const std::vector<Field<server::History>>& all(); };

/// "limits.max_pending_bytes": "--limits-max-pending-bytes".
std::string flag_name(std::string_view key);
/// "limits.max_pending_bytes": "PHX_SERVER_LIMITS_MAX_PENDING_BYTES".
std::string variable_name(std::string_view key);

inline constexpr std::string_view variable_prefix = "PHX_SERVER_";
inline constexpr const char* config_variable = "PHX_SERVER_CONFIG"; ///< names the file

struct ConfigSources {
    std::optional<std::string> file_text = {};
    std::function<const char*(const char* name)> variable = {};  ///< of the environment; null: not set
    std::vector<std::string> variable_names = {};                ///< all that begin with variable_prefix
    std::vector<std::pair<std::string, std::string>> flags = {}; ///< key and text
};

struct ConfigRead {
    Config config;
    Faults faults; ///< if there are any, the config is not to be used
};

/// A flag overrides the environment, which overrides the file, which overrides the defaults.
ConfigRead read_config(const ConfigSources&);

/// What start() of the server gets.
server::Options server_options(const Config&);

/// What a reload does to a program that runs.
struct ReloadPlan {
    Config config;                               ///< what it runs with from now on
    std::vector<std::string> changed = {};       ///< keys
    std::vector<std::string> needs_restart = {}; ///< keys whose new value is not in `config`
};
ReloadPlan plan_reload(const Config& running, const Config& wanted);

} // namespace phx::tools
