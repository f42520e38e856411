#include "src/lws/client_tunnel.hpp"
#include "src/lws/context.hpp"

#include <libwebsockets.h>

#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace phx::shell {
namespace {

/// libwebsockets only logs that a file cannot be read and goes on without it.
Result<void> check_files(const TlsOptions& tls) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> trial(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
    if (!trial) return fail(Errc::system_failure, "OpenSSL has no memory for a TLS context");
    auto refuse = [](const std::string& file, const char* what) -> Failure {
        const unsigned long code = ERR_peek_last_error();
        const char* const reason = ERR_reason_error_string(code);
        ERR_clear_error();
        return fail(Errc::tls_failed, std::string("cannot use ") + what + " file " + file + ": " +
                                          (reason ? reason : "not PEM") + "; check TlsOptions");
    };
    ERR_clear_error();
    if (!tls.ca_file.empty() &&
        SSL_CTX_load_verify_locations(trial.get(), tls.ca_file.c_str(), nullptr) != 1) {
        return refuse(tls.ca_file, "the CA");
    }
    if (tls.cert_file.empty()) return {};
    if (SSL_CTX_use_certificate_chain_file(trial.get(), tls.cert_file.c_str()) != 1) {
        return refuse(tls.cert_file, "the certificate");
    }
    const std::string& key_file = tls.key_file.empty() ? tls.cert_file : tls.key_file;
    if (SSL_CTX_use_PrivateKey_file(trial.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(trial.get()) != 1) {
        return refuse(key_file, "the key");
    }
    return {};
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
        if (auto usable = check_files(tls); !usable) return Failure{usable.error()};
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        if (!tls.ca_file.empty()) {
            info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
            info.client_ssl_ca_filepath = tls.ca_file.c_str();
        }
        if (!tls.cert_file.empty()) {
            info.client_ssl_cert_filepath = tls.cert_file.c_str();
            info.client_ssl_private_key_filepath = key_file.c_str();
        }
        info.ssl_client_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1; // deprecated by RFC 8996
    }
    lws_vhost* const vhost = lws_create_vhost(context_, &info);
    if (!vhost) return fail(Errc::system_failure, "libwebsockets cannot set up a client: out of memory");
    client_vhosts_.emplace_back(key, vhost);
    return vhost;
}

} // namespace phx::shell
