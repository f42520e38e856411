#include "tools/phx-server/reload.hpp"

#include "tools/phx-server/serve.hpp"

namespace phx::tools {
namespace {

std::string joined(const std::vector<std::string>& keys) {
    std::string text;
    for (const std::string& key : keys) text.append(text.empty() ? "" : ",").append(key);
    return text;
}

Result<void> apply(server::Server& server, const Config& config) {
    if (!config.tls.cert_file.empty()) { // the files may be new ones of the same name
        if (auto set = server.set_tls(config.tls); !set) return set;
    }
    if (config.options.tokens) {
        if (auto set = server.set_tokens(*config.options.tokens); !set) return set;
    }
    if (auto set = server.set_policies(server_options(config).policies); !set) return set;
    if (auto set = server.set_rates(config.options.rates); !set) return set;
    return server.set_allowed_origins(config.options.allowed_origins);
}

} // namespace

void reload(server::Server& server, Log& log, Config& running, const ConfigRead& wanted) {
    const auto refuse = [&](const std::string& why) {
        log.write(LogLevel::error, "reload_failed", {{"message", why}, {"kept", "what it ran with"}});
    };
    if (!wanted.faults.empty()) {
        for (const std::string& line : wanted.faults.lines()) refuse(line);
        return;
    }
    if (const auto why = why_refused(wanted.config)) return refuse(*why);
    ReloadPlan plan = plan_reload(running, wanted.config);
    // First all that can fail, so that it is all or nothing.
    if (const auto checked = server::check(server_options(wanted.config)); !checked)
        return refuse(checked.error().message);
    if (const auto applied = apply(server, plan.config); !applied) return refuse(applied.error().message);
    log.set_options(plan.config.log);
    running = std::move(plan.config);
    log.write(LogLevel::info, "reloaded", {{"changed", joined(plan.changed)}});
    if (!plan.needs_restart.empty())
        log.write(LogLevel::warn, "restart_needed", {{"settings", joined(plan.needs_restart)}});
}

} // namespace phx::tools
