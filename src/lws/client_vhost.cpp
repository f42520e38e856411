#include "src/lws/client_tunnel.hpp"
#include "src/lws/context.hpp"

#include <libwebsockets.h>

#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <utility>

namespace phx::shell {
namespace {

using TlsContext = std::shared_ptr<SSL_CTX>;

/// OpenSSL's own callback asks on the terminal, and the loop waits.
int refuse_password(char*, int, int, void* was_asked) {
    if (was_asked) *static_cast<bool*>(was_asked) = true;
    return -1;
}

/// Made here, for libwebsockets only logs that a file cannot be read and goes on without it; and those it
/// makes itself it frees only in a context that has set up OpenSSL.
Result<TlsContext> make_tls_context(const TlsOptions& tls, const std::string& key_file) {
    const TlsContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!context) return fail(Errc::system_failure, "OpenSSL has no memory for a TLS context");
    bool is_encrypted = false;
    auto refuse = [&](const std::string& file, const char* what) -> Failure {
        const unsigned long code = ERR_peek_last_error();
        const char* const reason = ERR_reason_error_string(code);
        const std::string start = std::string("cannot use ") + what + " file " + file + ": ";
        ERR_clear_error();
        if (is_encrypted) {
            return fail(Errc::tls_failed,
                        start + "the key is encrypted, and there is nobody to ask for its password; store it "
                                "without one (openssl pkey)");
        }
        return fail(Errc::tls_failed, start + (reason ? reason : "not PEM") + "; check TlsOptions");
    };
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1); // RFC 8996
    SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(context.get(), refuse_password);
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), &is_encrypted);
    ERR_clear_error();
    if (tls.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
        ERR_clear_error(); // without any authority every certificate is refused, with a reason
    } else if (SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(), nullptr) != 1) {
        return refuse(tls.ca_file, "the CA");
    }
    if (!tls.cert_file.empty()) {
        if (SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file.c_str()) != 1) {
            return refuse(tls.cert_file, "the certificate");
        }
        if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context.get()) != 1) {
            return refuse(key_file, "the key");
        }
    }
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), nullptr);
    return context;
}

} // namespace

Result<lws_vhost*> LwsContext::client_vhost(const TlsOptions& tls, bool uses_tls) {
    const std::string key_file = tls.key_file.empty() ? tls.cert_file : tls.key_file;
    const std::string key =
        uses_tls ? tls.ca_file + '\n' + tls.cert_file + '\n' + key_file : std::string("plain");
    for (const auto& [known, vhost] : client_vhosts_) {
        if (known == key) return vhost;
    }
    lws_context_creation_info info{};
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.vhost_name = "phx-client";
    info.protocols = client_protocols();
    // Without this libwebsockets takes the variable http_proxy, for wss too and whatever no_proxy says; an
    // address without a port turns its proxy off.
    info.http_proxy_address = "none";
    if (uses_tls) {
        auto context = make_tls_context(tls, key_file);
        if (!context) return Failure{std::move(context).error()};
        tls_contexts_.push_back(*context);
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT; // without it, it looks at nothing of TLS
        info.provided_client_ssl_ctx = context->get();
    }
    lws_vhost* const vhost = lws_create_vhost(context_, &info);
    if (!vhost) return fail(Errc::system_failure, "libwebsockets cannot set up a client: out of memory");
    client_vhosts_.emplace_back(key, vhost);
    return vhost;
}

} // namespace phx::shell
