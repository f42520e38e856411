#include "bench/server/tls_connections.hpp"

#include "bench/server/connections.hpp"

TlsConnections::TlsConnections(int port) : port_(port), context_(SSL_CTX_new(TLS_client_method())) {
    if (!context_) throw std::runtime_error("SSL_CTX_new");
    SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS); // the memory of this end
}

void TlsConnections::open(std::string_view upgrade, std::string_view join) {
    std::unique_ptr<SSL, Free> session(SSL_new(context_.get()));
    if (!session || SSL_set_fd(session.get(), connect_to(port_, all_.size())) != 1)
        throw std::runtime_error("SSL_new");
    if (SSL_connect(session.get()) != 1) throw std::runtime_error("the TLS handshake failed");
    const auto ask = [&](std::string_view request) {
        std::array<char, 4096> answer{};
        std::size_t bytes = 0;
        if (SSL_write_ex(session.get(), request.data(), request.size(), &bytes) != 1 ||
            SSL_read_ex(session.get(), answer.data(), answer.size(), &bytes) != 1)
            throw std::runtime_error("the server ended a connection");
        return std::string(answer.data(), bytes);
    };
    if (!ask(upgrade).starts_with("HTTP/1.1 101")) throw std::runtime_error("the upgrade was refused");
    if (!Connections::is_reply(ask(join))) throw std::runtime_error("the join was not answered");
    all_.push_back(std::move(session));
}
