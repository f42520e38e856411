#include "src/server/options_check.hpp"

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

Result<TlsContext> make_tls(const phx::server::TlsCertificate& certificate) {
    return make_server_tls_context(certificate.cert_file, certificate.key_file, certificate.min_version);
}

} // namespace shell

Result<void> server::check(const Options& options) {
    if (auto checked = shell::check_origins(options.allowed_origins); !checked) return checked;
    if (options.tokens) {
        const auto verifier = TokenVerifier::make(options.tokens->keys, options.tokens->rules);
        if (!verifier) return Failure{verifier.error()};
    }
    if (!options.tls) return {};
    if (const auto context = shell::make_tls(*options.tls); !context) return Failure{context.error()};
    return {};
}

} // namespace phx
