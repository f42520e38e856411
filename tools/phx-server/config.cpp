#include "tools/phx-server/config.hpp"

#include "tools/phx-server/config_text.hpp"

#include <algorithm>
#include <cctype>

namespace phx::tools {

const std::vector<Field<Config>>& FieldsOf<Config>::all() {
    constexpr auto live = Applies::at_reload;
    static const std::vector<Field<Config>> table = {
        field<Config>(
            "listen", [](auto& c) -> auto& { return c.listen; },
            "What to listen on, IPv6 in brackets; port 0 is any free one"),
        field<Config>(
            "insecure_no_auth", [](auto& c) -> auto& { return c.insecure_no_auth; },
            "Let everybody in; on loopback addresses only"),
        field<Config>(
            "jwt_secret_file", [](auto& c) -> auto& { return c.keys.secret_file; },
            "File with the secrets of HS256, HS384 and HS512 tokens, one per line", live),
        field<Config>(
            "jwks_file", [](auto& c) -> auto& { return c.keys.jwks_file; }, "File with a JSON Web Key Set",
            live),
        field<Config>(
            "tokens.require_expiry", [](auto& c) -> auto& { return c.token_rules.require_expiry; },
            "Refuse tokens without exp", live),
        field<Config>(
            "tokens.require_role", [](auto& c) -> auto& { return c.token_rules.require_role; },
            "Refuse tokens without role, as Supabase does", live),
        field<Config>(
            "tokens.audience", [](auto& c) -> auto& { return c.token_rules.audience; },
            "What aud has to be, or to hold", live),
        field<Config>(
            "tokens.issuer", [](auto& c) -> auto& { return c.token_rules.issuer; }, "What iss has to be",
            live),
        field<Config>(
            "tokens.leeway", [](auto& c) -> auto& { return c.token_rules.leeway; },
            "How far clocks may differ; at most 1h", live),
        field<Config>(
            "tls.cert_file", [](auto& c) -> auto& { return c.tls.cert_file; },
            "PEM: certificate and those that signed it; without it no TLS", live),
        field<Config>(
            "tls.key_file", [](auto& c) -> auto& { return c.tls.key_file; },
            "PEM; empty: the key is in tls.cert_file", live),
        field<Config>(
            "tls.min_version", [](auto& c) -> auto& { return c.tls.min_version; }, "Least version of TLS",
            live),
        field<Config>(
            "allowed_origins", [](auto& c) -> auto& { return c.options.allowed_origins; },
            "Browsers' pages beside the server's own: https://app.example.com, https://*.example.com, *",
            live),
        field<Config>(
            "endpoints", [](auto& c) -> auto& { return c.options.endpoints; }, "Where WebSockets connect to"),
        field<Config>(
            "realtime", [](auto& c) -> auto& { return c.options.realtime; },
            "Serve realtime:* as Supabase does"),
        field<Config>(
            "echo", [](auto& c) -> auto& { return c.echo; }, "Serve the echo channel on all other topics"),
        field<Config>(
            "threads", [](auto& c) -> auto& { return c.options.threads; },
            "Each serves a share of the connections; at most 256"),
        field<Config>(
            "limits.max_connections", [](auto& c) -> auto& { return c.options.max_connections; },
            "Open ones in all; more are refused with 503; 0: no limit"),
        field<Config>(
            "limits.max_connections_per_address",
            [](auto& c) -> auto& { return c.options.max_connections_per_address; },
            "Likewise, with 429; 0, also behind a proxy, whose address all have: no limit"),
        field<Config>(
            "limits.max_channels_per_connection",
            [](auto& c) -> auto& { return c.options.max_channels_per_connection; }, "More joins are refused"),
        field<Config>(
            "limits.max_pending_bytes", [](auto& c) -> auto& { return c.options.max_pending_bytes; },
            "That wait for one slow client; more closes it with 1013. Who is present on a topic takes half "
            "of it"),
        field<Config>(
            "limits.max_broadcast_bytes", [](auto& c) -> auto& { return c.options.max_broadcast_bytes; },
            "Of the payload of a realtime:* broadcast"),
        field<Config>(
            "limits.max_history_bytes", [](auto& c) -> auto& { return c.options.max_history_bytes; },
            "Of all that is kept for replay"),
        field<Config>(
            "policies", [](auto& c) -> auto& { return c.options.policies; },
            "Who may do what on the topics of a pattern", live),
        field<Config>(
            "private_only", [](auto& c) -> auto& { return c.options.private_only; },
            "Refuse public realtime:* channels"),
        field<Config>(
            "history", [](auto& c) -> auto& { return c.options.history; },
            "Which broadcasts of private realtime:* channels are kept for replay"),
        field<Config>(
            "status_page", [](auto& c) -> auto& { return c.options.status_page; },
            "Show at / what the server does"),
        field<Config>(
            "service_role", [](auto& c) -> auto& { return c.options.service_role; },
            "The role that may use all of the HTTP API"),
        field<Config>(
            "rates.messages_per_connection",
            [](auto& c) -> auto& { return c.options.rates.messages_per_connection; },
            "Pushes of one connection in a second; 0: no limit", live),
        field<Config>(
            "rates.messages_per_topic", [](auto& c) -> auto& { return c.options.rates.messages_per_topic; },
            "Broadcasts to one realtime:* topic in a second, by HTTP too; 0: no limit", live),
        field<Config>(
            "rates.joins_per_connection",
            [](auto& c) -> auto& { return c.options.rates.joins_per_connection; },
            "Joins of one connection in a second; 0: no limit", live),
        field<Config>(
            "rates.presence_per_topic", [](auto& c) -> auto& { return c.options.rates.presence_per_topic; },
            "Tracks and untracks on one realtime:* topic in a second; 0: no limit", live),
        field<Config>(
            "rates.presence_calls", [](auto& c) -> auto& { return c.options.rates.presence_calls; },
            "Likewise of one channel within rates.presence_window; 0: no limit", live),
        field<Config>(
            "rates.presence_window", [](auto& c) -> auto& { return c.options.rates.presence_window; },
            "See rates.presence_calls", live),
        field<Config>(
            "drain.spread", [](auto& c) -> auto& { return c.drain_spread; },
            "SIGTERM: connections are closed within this time, each at a moment of its own", live),
        field<Config>(
            "drain.timeout", [](auto& c) -> auto& { return c.drain_timeout; },
            "SIGTERM: what is not answered by then is cut off", live),
        field<Config>(
            "timeouts.poll", [](auto& c) -> auto& { return c.options.timeouts.poll; },
            "Of a long poll with nothing to say, and of a client that stays away"),
        field<Config>(
            "timeouts.request", [](auto& c) -> auto& { return c.options.timeouts.request; },
            "From the connect, or the last answer, to a whole HTTP request"),
        field<Config>(
            "timeouts.write", [](auto& c) -> auto& { return c.options.timeouts.write; },
            "For a client to take what waits for it"),
        field<Config>(
            "timeouts.close", [](auto& c) -> auto& { return c.options.timeouts.close; },
            "For a client to answer a close frame"),
        field<Config>(
            "timeouts.stop", [](auto& c) -> auto& { return c.options.timeouts.stop; },
            "For all clients to answer, when the server stops"),
        field<Config>(
            "log.format", [](auto& c) -> auto& { return c.log.format; }, "Of the lines on stderr", live),
        field<Config>(
            "log.level", [](auto& c) -> auto& { return c.log.level; },
            "The least that is written; info has connections, debug what clients do wrong", live),
    };
    return table;
}

const std::vector<Field<server::Endpoint>>& FieldsOf<server::Endpoint>::all() {
    using server::Endpoint;
    static const std::vector<Field<Endpoint>> table = {
        field<Endpoint>(
            "path", [](auto& e) -> auto& { return e.path; }, "/websocket is appended"),
        field<Endpoint>(
            "dialect", [](auto& e) -> auto& { return e.dialect; }, "How it behaves where the two differ"),
        field<Endpoint>(
            "max_message_bytes", [](auto& e) -> auto& { return e.max_message_bytes; }, "Larger: close 1009"),
        field<Endpoint>(
            "idle_timeout", [](auto& e) -> auto& { return e.idle_timeout; },
            "Without anything from the client; 0s: none"),
    };
    return table;
}

const std::vector<Field<server::Requirement>>& FieldsOf<server::Requirement>::all() {
    using server::Requirement;
    static const std::vector<Field<Requirement>> table = {
        field<Requirement>(
            "permissions", [](auto& r) -> auto& { return r.permissions; }, "All of them"),
        field<Requirement>(
            "roles", [](auto& r) -> auto& { return r.roles; }, "One of them, if any is named"),
    };
    return table;
}

const std::vector<Field<server::Policy>>& FieldsOf<server::Policy>::all() {
    using server::Policy;
    static const std::vector<Field<Policy>> table = {
        field<Policy>(
            "topic", [](auto& p) -> auto& { return p.topic; }, "With {sub} for the user, and * at its end"),
        field<Policy>(
            "join", [](auto& p) -> auto& { return p.join; }, "null: nobody"),
        field<Policy>(
            "read", [](auto& p) -> auto& { return p.read; }, "null: as join"),
        field<Policy>(
            "write", [](auto& p) -> auto& { return p.write; }, "null: nobody"),
        field<Policy>(
            "presence", [](auto& p) -> auto& { return p.presence; }, "null: nobody"),
    };
    return table;
}

const std::vector<Field<server::History>>& FieldsOf<server::History>::all() {
    using server::History;
    static const std::vector<Field<History>> table = {
        field<History>(
            "pattern", [](auto& h) -> auto& { return h.pattern; }, "Of topics"),
        field<History>(
            "max_messages", [](auto& h) -> auto& { return h.max_messages; }, "Of each topic"),
        field<History>(
            "max_age", [](auto& h) -> auto& { return h.max_age; }, "Older ones are forgotten"),
    };
    return table;
}

namespace {

std::string spelled(std::string_view prefix, std::string_view key, char separator, int (*letter)(int)) {
    std::string name(prefix);
    for (const char c : key)
        name += c == '.' || c == '_' ? separator : static_cast<char>(letter(static_cast<unsigned char>(c)));
    return name;
}

void read_text(Config& config, const Field<Config>& field, std::string_view text, const std::string& where,
               Faults& faults) {
    if (field.from_text) return field.read(config, field.from_text(text), where, faults);
    if (const auto json = parse_config_text(text, faults, where)) field.read(config, *json, where, faults);
}

/// Kubernetes sets them in every container, for each service: also for one that is called phx-server, or
/// phx-server-metrics.
bool is_service_link(std::string_view name, std::string_view value) {
    const std::string whole = '_' + std::string(name) + '_';
    const auto has = [&](std::string part) { return whole.find(part += '_') != whole.npos; };
    return has("_SERVICE_HOST") || has("_SERVICE_PORT") || has("_TCP") || has("_UDP") || has("_SCTP") ||
           (has("_PORT") && value.find("://") != value.npos);
}

void check_variables(const ConfigSources& sources, Faults& faults) {
    std::vector<std::string> known = {config_variable, secret_variable, jwks_variable};
    for (const auto& field : FieldsOf<Config>::all()) known.push_back(variable_name(field.key));
    for (std::string& name : known) name.erase(0, variable_prefix.size());
    for (const std::string& variable : sources.variable_names) {
        const std::string name = variable.substr(variable_prefix.size());
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        const char* const value = sources.variable ? sources.variable(variable.c_str()) : nullptr;
        if (is_service_link(name, value ? value : "")) continue;
        const std::string_view meant = nearest_key(known, name);
        faults.add(shown(variable), meant.empty()
                                        ? "unknown variable; phx-server --help lists the settings"
                                        : "unknown variable; did you mean " + std::string(variable_prefix) +
                                              std::string(meant) + "?");
    }
}

bool is_path(std::string_view path) {
    return path.starts_with('/') && std::all_of(path.begin(), path.end(), [](char c) {
               return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '%';
           });
}

void check_endpoints(const std::vector<server::Endpoint>& endpoints, Faults& faults) {
    if (endpoints.empty()) faults.add("endpoints", "expected at least one");
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const std::string where = "endpoints[" + std::to_string(i) + "].path";
        const auto has_same_path = [&](const auto& other) { return other.path == endpoints[i].path; };
        if (!is_path(endpoints[i].path))
            faults.add(where, "expected a path such as \"/socket\", without % ? #");
        if (std::any_of(endpoints.begin(), endpoints.begin() + static_cast<std::ptrdiff_t>(i), has_same_path))
            faults.add(where, "an earlier endpoint has it; give each its own");
    }
}

void check_config(const Config& config, Faults& faults) {
    constexpr std::size_t max_threads = 256; // more are a mistake, and as many loops
    check_endpoints(config.options.endpoints, faults);
    if (config.options.threads > max_threads)
        faults.add("threads", "expected a whole number from 1 to " + std::to_string(max_threads));
    if (config.tls.cert_file.empty() && !config.tls.key_file.empty())
        faults.add("tls.key_file", "it is of no use without tls.cert_file; give both");
}

} // namespace

std::string flag_name(std::string_view key) { return spelled("--", key, '-', &std::tolower); }
std::string variable_name(std::string_view key) { return spelled(variable_prefix, key, '_', &std::toupper); }

ConfigRead read_config(const ConfigSources& sources) {
    ConfigRead result;
    const std::vector<Field<Config>>& fields = FieldsOf<Config>::all();
    if (sources.file_text) {
        if (const auto json = parse_config_text(*sources.file_text, result.faults))
            read_value(result.config, *json, "", result.faults);
    }
    check_variables(sources, result.faults);
    for (const auto& field : fields) {
        if (!sources.variable) continue;
        const std::string name = variable_name(field.key);
        if (const char* const text = sources.variable(name.c_str()))
            read_text(result.config, field, text, name, result.faults);
    }
    for (const auto& [key, text] : sources.flags) {
        const auto own =
            std::find_if(fields.begin(), fields.end(), [&k = key](const auto& f) { return f.key == k; });
        if (own != fields.end()) read_text(result.config, *own, text, flag_name(key), result.faults);
    }
    if (result.faults.empty()) check_config(result.config, result.faults);
    return result;
}

server::Options server_options(const Config& config) {
    server::Options options = config.options;
    options.host = config.listen.host;
    options.port = config.listen.port;
    if (!config.tls.cert_file.empty()) options.tls = config.tls;
    if (config.insecure_no_auth) {
        // Nobody is known, so nobody can be kept out: private channels are as open as public ones.
        const server::Requirement nothing;
        options.policies.push_back(
            {.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing});
    }
    return options;
}

ReloadPlan plan_reload(const Config& running, const Config& wanted) {
    // A listener that speaks TLS does not stop to, nor the other way round.
    const bool tls_stays = running.tls.cert_file.empty() == wanted.tls.cert_file.empty();
    ReloadPlan plan{running};
    for (const auto& field : FieldsOf<Config>::all()) {
        const ConfigJson value = field.write(wanted);
        if (value == field.write(running)) continue;
        if (field.applies == Applies::at_start || (!tls_stays && field.key.starts_with("tls."))) {
            plan.needs_restart.push_back(field.key);
            continue;
        }
        Faults none; // it is a value that was read
        field.read(plan.config, value, field.key, none);
        plan.changed.push_back(field.key);
    }
    if (plan.config.options.tokens && wanted.options.tokens)
        plan.config.options.tokens = wanted.options.tokens; // the files may have new keys
    return plan;
}

} // namespace phx::tools
