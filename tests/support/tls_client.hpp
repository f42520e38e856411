#pragma once

#include "tests/support/ws_client.hpp"

#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>

namespace phx::test {

/// A client of OpenSSL's own over a blocking socket, for what our client would not do.
class TlsClient {
public:
    explicit TlsClient(std::uint16_t port, int max_version = TLS1_3_VERSION, const char* alpn = nullptr)
        : tcp_(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
          ssl_(SSL_new(context_.get()), &SSL_free) {
        SSL_set_max_proto_version(ssl_.get(), max_version);
        SSL_set_security_level(ssl_.get(), 0);
        SSL_set_cipher_list(ssl_.get(), "ALL:@SECLEVEL=0");
        if (alpn)
            SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(alpn),
                                static_cast<unsigned>(std::string_view(alpn).size()));
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
    }

    /// False if the server refuses it.
    bool shake_hands() {
        for (;;) {
            const int result = SSL_do_handshake(ssl_.get());
            flush();
            if (result == 1) return true;
            if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ || !fill()) return false;
        }
    }
    void send(std::string_view text) {
        SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
        flush();
    }
    /// Some bytes; none at the end.
    std::string receive() {
        char buffer[4096];
        for (;;) {
            const int length = SSL_read(ssl_.get(), buffer, sizeof buffer);
            if (length > 0) return {buffer, static_cast<std::size_t>(length)};
            const int error = SSL_get_error(ssl_.get(), length);
            was_told_of_end_ = error == SSL_ERROR_ZERO_RETURN;
            if (error != SSL_ERROR_WANT_READ || !fill()) return {};
        }
    }
    std::string receive_to_end() {
        std::string all;
        for (std::string some = receive(); !some.empty(); some = receive()) all += some;
        return all;
    }
    /// What a client says before it is answered; not sent.
    std::string first_flight() {
        SSL_do_handshake(ssl_.get());
        std::string bytes(16384, '\0');
        bytes.resize(static_cast<std::size_t>(BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), 16384)));
        return bytes;
    }
    /// Another handshake inside of the connection (TLS 1.2). False if the server refuses it.
    bool renegotiate() {
        SSL_renegotiate(ssl_.get());
        const bool is_done = shake_hands();
        ERR_clear_error(); // of the thread, for the next connection
        return is_done;
    }
    /// Changes its keys and wants the server to do so too (TLS 1.3).
    void update_keys() {
        SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ssl_.get());
        flush();
    }
    bool was_told_of_end() const { return was_told_of_end_; }
    /// Which certificate the server has shown.
    std::string fingerprint() const {
        const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        if (shown) X509_digest(shown.get(), EVP_sha256(), digest, &length);
        return {reinterpret_cast<char*>(digest), length};
    }

private:
    bool fill() {
        const std::string bytes = tcp_.receive();
        BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
        return !bytes.empty();
    }
    void flush() {
        char buffer[16384];
        for (;;) {
            const int length = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof buffer);
            if (length <= 0) return;
            tcp_.send({buffer, static_cast<std::size_t>(length)});
        }
    }

    TcpClient tcp_;
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
    bool was_told_of_end_ = false;
};

} // namespace phx::test
