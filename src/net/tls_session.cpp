#include "src/net/tls_session.hpp"

#include <algorithm>
#include <new>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace phx::shell {
namespace {

constexpr std::size_t max_record_bytes = 16u << 10; // RFC 8446 section 5.1

/// What the top of OpenSSL's queue says; the alerts of the peer are named as RFC 8446 names them.
std::string take_reason(const char* peer) {
    const unsigned long code = ERR_peek_error();
    ERR_clear_error();
    const int reason = ERR_GET_REASON(code);
    const bool is_alert = ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
    if (is_alert) {
        return std::string("the ") + peer + " sent the alert \"" +
               SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET) + '"';
    }
    const char* const text = ERR_reason_error_string(code);
    return text ? text : "";
}

bool is_ip_address(const std::string& name) {
    const std::unique_ptr<ASN1_OCTET_STRING, decltype(&ASN1_OCTET_STRING_free)> address(
        a2i_IPADDRESS(name.c_str()), &ASN1_OCTET_STRING_free);
    ERR_clear_error();
    return address != nullptr;
}

std::unique_ptr<SSL, void (*)(SSL*)> make_ssl(const TlsContext& context) {
    std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), &SSL_free);
    if (!ssl) throw std::bad_alloc();
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    // What was not taken is offered again from another place, and perhaps with more behind it.
    SSL_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ssl;
}

} // namespace

TlsSession::TlsSession(TlsContext context)
    : context_(std::move(context)), ssl_(make_ssl(context_)), verifies_peer_(false), peer_("client") {
    SSL_set_accept_state(ssl_.get());
}

TlsSession::TlsSession(TlsContext context, const TlsOptions& tls, std::string name)
    : context_(std::move(context)), ssl_(make_ssl(context_)), verifies_peer_(tls.verify_peer),
      peer_("server") {
    SSL_set_connect_state(ssl_.get());
    if (name.ends_with('.')) name.pop_back(); // says that it is absolute; certificates and SNI leave it out
    const bool is_address = is_ip_address(name);
    if (!is_address) SSL_set_tlsext_host_name(ssl_.get(), name.c_str()); // RFC 6066: never addresses
    SSL_set_verify(ssl_.get(), verifies_peer_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (!verifies_peer_) return;
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_.get());
    // RFC 9525 sections 2 and 6.3: never the Common Name
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const int is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                                  : X509_VERIFY_PARAM_set1_host(wanted, name.data(), name.size());
    if (is_set == 1) return;
    state_ = State::failed; // never without a name to verify
    reason_ = "out of memory";
}

void TlsSession::handshake() {
    if (state_ != State::shaking_hands) return;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
        state_ = State::open;
    } else {
        note(result);
    }
}

void TlsSession::feed(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
}

std::size_t TlsSession::read(std::span<char> into) {
    if (state_ != State::open) return 0;
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    if (result > 0) return static_cast<std::size_t>(result);
    note(result);
    return 0;
}

std::size_t TlsSession::write(std::string_view bytes, std::string& out) {
    std::size_t written = 0;
    while (written < bytes.size() && state_ == State::open) {
        const std::string_view record = bytes.substr(written, max_record_bytes);
        ERR_clear_error();
        const int result = SSL_write(ssl_.get(), record.data(), static_cast<int>(record.size()));
        if (result > 0) written += static_cast<std::size_t>(result);
        take_output(out); // after each record: the memory that OpenSSL writes to grows and never shrinks
        if (result <= 0) {
            note(result);
            break;
        }
    }
    return written;
}

void TlsSession::close() {
    if (state_ != State::open) return;
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

void TlsSession::take_output(std::string& out) {
    BIO* const bio = SSL_get_wbio(ssl_.get());
    const std::size_t pending = BIO_ctrl_pending(bio);
    if (pending == 0) return;
    const std::size_t before = out.size();
    out.resize(before + pending);
    BIO_read(bio, out.data() + before, static_cast<int>(pending));
}

void TlsSession::note(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return; // the memory it writes to takes everything
    case SSL_ERROR_ZERO_RETURN: state_ = State::closed; return;
    default: state_ = State::failed; reason_ = take_reason(peer_);
    }
}

Error TlsSession::error(const std::string& place) const {
    const long verdict = verifies_peer_ ? SSL_get_verify_result(ssl_.get()) : X509_V_OK;
    if (verdict != X509_V_OK) {
        return fail(Errc::tls_failed,
                    "the certificate of " + place +
                        " is not accepted: " + X509_verify_cert_error_string(verdict) +
                        "; check the name, the clock and TlsOptions::ca_file",
                    Origin::peer)
            .error;
    }
    return fail(Errc::tls_failed,
                "TLS with " + place +
                    " failed: " + (reason_.empty() ? "the server closed the connection" : reason_) +
                    "; check that the port speaks TLS, and TlsOptions (cert_file, min_version)",
                Origin::peer)
        .error;
}

} // namespace phx::shell
