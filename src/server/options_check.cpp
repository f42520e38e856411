#include "src/server/options_check.hpp"

#include "protocol/server/policy.hpp"
#include "src/server/listener.hpp"
#include "src/server/origin.hpp"

namespace phx {
namespace shell {

Result<void> check_origins(const std::vector<std::string>& origins) {
    for (const std::string& origin : origins) {
        if (!is_origin_pattern(origin))
            return fail(Errc::invalid_argument,
                        "allowed_origins: \"" + origin +
                            "\" is no origin; give SCHEME://HOST[:PORT], https://*.HOST or *");
    }
    return {};
}

Result<void> check_policies(const std::vector<phx::server::Policy>& policies) {
    for (const phx::server::Policy& policy : policies) {
        if (!protocol::server::is_valid_pattern(policy.topic))
            return fail(Errc::invalid_argument, "policies: \"" + policy.topic +
                                                    "\" is no pattern: {sub} stands for all that is between "
                                                    "two colons, as in realtime:user:{sub}");
    }
    return {};
}

Result<void> check_values(const phx::server::Options& options) {
    if (auto checked = check_policies(options.policies); !checked) return checked;
    if (auto checked = check_origins(options.allowed_origins); !checked) return checked;
    if (!options.service_role.empty()) return {};
    return fail(Errc::invalid_argument, "service_role: it must have a name, for it opens the HTTP API");
}

Result<TlsContext> make_tls(const phx::server::TlsCertificate& certificate) {
    return make_server_tls_context(certificate.cert_file, certificate.key_file, certificate.min_version);
}

} // namespace shell

Result<void> server::check(const Options& options) {
    if (auto checked = shell::check_values(options); !checked) return checked;
    if (!options.authorize && !options.tokens) {
        using shell::ListeningSocket;
        constexpr auto allowed = ListeningSocket::Reach::loopback_only;
        if (auto checked = ListeningSocket::check_reach(options.host, options.port, allowed); !checked)
            return checked;
    }
    if (options.tokens) {
        const auto verifier = TokenVerifier::make(options.tokens->keys, options.tokens->rules);
        if (!verifier) return Failure{verifier.error()};
    }
    if (!options.tls) return {};
    if (const auto context = shell::make_tls(*options.tls); !context) return Failure{context.error()};
    return {};
}

} // namespace phx
