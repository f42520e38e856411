#pragma once

#include <cstddef>
#include <memory>
#include <openssl/ssl.h>
#include <string_view>
#include <vector>

/// Connections over TLS that are made one after the other and then idle. Nobody's certificate is verified.
class TlsConnections {
public:
    explicit TlsConnections(int port);

    /// Opens one, and returns when `upgrade` has been answered and then `join` with a reply that is "ok".
    void open(std::string_view upgrade, std::string_view join);

private:
    struct Free {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
        void operator()(SSL* session) const noexcept { SSL_free(session); }
    };
    int port_;
    std::unique_ptr<SSL_CTX, Free> context_;
    std::vector<std::unique_ptr<SSL, Free>> all_; // their descriptors end with the program
};
