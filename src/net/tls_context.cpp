#include "src/net/tls_context.hpp"

#include "src/net/descriptor.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string>
#include <sys/stat.h>

namespace phx::shell {
namespace {

/// OpenSSL's own callback asks on the terminal, and the loop waits.
int refuse_password(char*, int, int, void* was_asked) {
    if (was_asked) *static_cast<bool*>(was_asked) = true;
    return -1;
}

Failure refuse(const std::string& what, bool is_encrypted = false) {
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = ERR_reason_error_string(code);
    ERR_clear_error();
    const std::string start = "cannot use " + what + ": ";
    if (is_encrypted) {
        return fail(Errc::tls_failed,
                    start + "the key is encrypted, and there is nobody to ask for its password; store it "
                            "without one (openssl pkey)");
    }
    return fail(Errc::tls_failed, start + (reason ? reason : "not PEM") + "; check TlsOptions");
}

/// All certificates of a text; false if there is none, or something else.
bool add_authorities(X509_STORE* store, const std::string& pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
    int count = 0;
    for (;; ++count) {
        const std::unique_ptr<X509, decltype(&X509_free)> one(
            text ? PEM_read_bio_X509(text.get(), nullptr, refuse_password, nullptr) : nullptr, &X509_free);
        if (!one) break;
        if (X509_STORE_add_cert(store, one.get()) != 1) return false;
    }
    const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return count > 0 && is_end;
}

Result<void> set_authorities(SSL_CTX* context, const TlsOptions& tls) {
    if (tls.ca_file.empty() && tls.ca_pem.empty()) {
        SSL_CTX_set_default_verify_paths(context);
        ERR_clear_error(); // without any authority every certificate is refused, with a reason
    }
    if (!tls.ca_file.empty() && SSL_CTX_load_verify_locations(context, tls.ca_file.c_str(), nullptr) != 1) {
        return refuse("the CA file " + tls.ca_file);
    }
    if (!tls.ca_pem.empty() && !add_authorities(SSL_CTX_get_cert_store(context), tls.ca_pem))
        return refuse("TlsOptions::ca_pem");
    ERR_clear_error();
    return {};
}

Result<void> set_identity(SSL_CTX* context, const std::string& cert_file, const std::string& own_key_file) {
    const std::string& key_file = own_key_file.empty() ? cert_file : own_key_file;
    bool is_encrypted = false;
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &is_encrypted);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1)
        return refuse("the certificate file " + cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return refuse("the key file " + key_file, is_encrypted);
    }
    SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
    return {};
}

/// Where the descriptor of the key log is kept in a context; freed with it.
int key_log_index() {
    static const int index = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr,
        [](void*, void* log, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Descriptor*>(log); });
    return index;
}

void log_keys(const SSL* ssl, const char* line) {
    const auto* const log =
        static_cast<const Descriptor*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), key_log_index()));
    const std::string text = std::string(line) + '\n';
    // One write: several programs may append to it. It is an aid: what cannot be written is missing.
    [[maybe_unused]] const auto written = ::write(log->get(), text.data(), text.size());
}

Result<void> set_key_log(SSL_CTX* context, const std::string& file) {
    if (file.empty()) return {};
    constexpr mode_t owner_only = 0600;
    const auto refuse_log = [&](const char* why) {
        return fail(Errc::tls_failed,
                    "cannot use the key log file " + file + ": " + why + "; check TlsOptions");
    };
    // Where others may write, a link or a pipe of theirs may lie: they would read the keys, or we would wait.
    auto log = std::make_unique<Descriptor>(::open(
        file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, owner_only));
    struct stat status {};
    if (!*log || ::fstat(log->get(), &status) != 0) return refuse_log(std::strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid())
        return refuse_log("it is not a regular file of this user");
    if (::fchmod(log->get(), owner_only) != 0) return refuse_log(std::strerror(errno));
    SSL_CTX_set_ex_data(context, key_log_index(), log.release());
    SSL_CTX_set_keylog_callback(context, log_keys);
    return {};
}

constexpr unsigned char http_1_1[] = "\x08http/1.1"; // RFC 7301

TlsContext make_context(const SSL_METHOD* method, TlsVersion min_version) {
    TlsContext context(SSL_CTX_new(method), &SSL_CTX_free);
    ERR_clear_error();
    if (!context) return context;
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_min_proto_version(context.get(),
                                  min_version == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    return context;
}

/// A client that offers protocols, but not ours, is refused (RFC 7301 section 3.2).
int select_http_1_1(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned offered_length, void*) {
    auto* out = const_cast<unsigned char*>(*chosen);
    const int found =
        SSL_select_next_proto(&out, length, http_1_1, sizeof http_1_1 - 1, offered, offered_length);
    *chosen = out;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<TlsContext> make_tls_context(const TlsOptions& tls) {
    if (tls.server_name.starts_with('.')) { // to OpenSSL: any name below it
        return fail(Errc::tls_failed, "cannot use the server name " + tls.server_name +
                                          ": it starts with a dot; check TlsOptions");
    }
    const TlsContext context = make_context(TLS_client_method(), tls.min_version);
    if (!context) return fail(Errc::system_failure, "OpenSSL has no memory for a TLS context");
    SSL_CTX_set_alpn_protos(context.get(), http_1_1, sizeof http_1_1 - 1);
    if (auto set = set_authorities(context.get(), tls); !set) return Failure{set.error()};
    if (!tls.cert_file.empty()) {
        if (auto set = set_identity(context.get(), tls.cert_file, tls.key_file); !set)
            return Failure{set.error()};
    }
    if (auto set = set_key_log(context.get(), tls.key_log_file); !set) return Failure{set.error()};
    return context;
}

} // namespace

Result<TlsContext> make_server_tls_context(const std::string& cert_file, const std::string& key_file,
                                           TlsVersion min_version) {
    const TlsContext context = make_context(TLS_server_method(), min_version);
    if (!context) return fail(Errc::system_failure, "OpenSSL has no memory for a TLS context");
    // Tickets make resumption cheap for clients, and cost the server no memory.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context.get(), select_http_1_1, nullptr);
    if (auto set = set_identity(context.get(), cert_file, key_file); !set) return Failure{set.error()};
    return context;
}

Result<TlsContext> TlsContexts::get(const TlsOptions& tls) {
    for (const auto& [options, context] : kept_) {
        if (options == tls) return context;
    }
    auto context = make_tls_context(tls);
    if (!context) return context;
    if (kept_.size() == max_kept) kept_.erase(kept_.begin());
    kept_.emplace_back(tls, *context);
    return context;
}

} // namespace phx::shell
