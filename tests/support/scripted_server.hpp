#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

/// A server that does exactly what a test tells it, on blocking sockets, in the thread of the test. Every
/// wait has a generous deadline and throws std::runtime_error after it. It shares no code with the library:
/// handshake, framing and JSON are its own.
namespace phx::test {

using nlohmann::json;

struct WsFrame {
    int opcode = 0;
    std::string payload = {};
};

/// A frame of protocol version 2.
struct PhxFrame {
    json join_ref, ref;
    std::string topic, event;
    json payload;
};

/// One accepted connection.
class Peer {
public:
    Peer(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}
    ~Peer();
    Peer(Peer&& other) noexcept;
    Peer& operator=(Peer&&) = delete;

    // ---- bytes
    void write(std::string_view bytes);
    /// The next bytes; empty when the client has closed.
    std::string read_some();
    /// Waits until there are some, and leaves them unread: closing then resets the connection.
    void wait_for_bytes();
    /// Reads until the client closes; true if it did.
    bool wait_for_end();
    /// Closes with a reset: what a crashed host looks like.
    void reset();
    void close();

    /// The numeric address of the client.
    std::string address() const;
    SSL* tls() const noexcept { return ssl_; }
    int fd() const noexcept { return fd_; }

    /// How often bytes have been read from the socket.
    int reads() const noexcept { return reads_; }

    // ---- HTTP
    /// The head of the request, with the empty line.
    std::string read_request();
    /// The same, or nothing when the client has closed before it was complete.
    std::optional<std::string> try_read_request();
    /// As many bytes.
    std::string read_exactly(std::size_t bytes);
    /// Reads the request and answers 101. Returns the request.
    std::string upgrade(std::string_view extra_headers = {});
    static std::string accept_of(std::string_view request);
    static std::string header_of(std::string_view request, std::string_view name);

    // ---- WebSocket
    WsFrame receive();
    void send(int opcode, std::string_view payload);
    void send_close(std::uint16_t code, std::string_view reason);
    static std::string frame(int opcode, std::string_view payload);

    // ---- Phoenix
    PhxFrame receive_phx();
    /// The next frame, which must have this event.
    PhxFrame expect(std::string_view event);
    void send_phx(const json& join_ref, const json& ref, std::string_view topic, std::string_view event,
                  const json& payload);
    void reply(const PhxFrame& to, std::string_view status, const json& response = json::object());
    void broadcast(std::string_view topic, std::string_view event, const json& payload) {
        send_phx(nullptr, nullptr, topic, event, payload);
    }
    /// Receives a join and accepts it.
    PhxFrame accept_join(const json& response = json::object());

private:
    bool fill();

    int fd_ = -1;
    SSL* ssl_ = nullptr;
    std::string buffer_;
    int reads_ = 0;
};

class ScriptedServer {
public:
    enum class Family { v4, v6 };
    /// Listens on a free port of 127.0.0.1 (or ::1); with TLS when given a certificate and its key.
    explicit ScriptedServer(const std::string& cert_file = {}, const std::string& key_file = {},
                            Family family = Family::v4);
    struct UnixSocket {
        std::string path;
    };
    explicit ScriptedServer(const UnixSocket&, const std::string& cert_file = {},
                            const std::string& key_file = {});
    ~ScriptedServer();
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    int port() const noexcept { return port_; }
    /// The listening socket: readable when a client waits.
    int fd() const noexcept { return listener_; }
    /// For what a test wants of TLS; null without.
    SSL_CTX* tls() const noexcept { return tls_; }
    /// ws://127.0.0.1:PORT/socket
    std::string url(std::string_view host = "127.0.0.1") const;
    /// The next connection; with TLS, after its handshake (throws if that fails).
    Peer
    accept(const std::function<void()>& before_answer = {}); ///< called when the client has said something
    /// The next connection, upgraded.
    Peer accept_upgraded();

private:
    void use_tls(const std::string& cert_file, const std::string& key_file);

    int listener_ = -1;
    int port_ = 0;
    SSL_CTX* tls_ = nullptr;
};

/// A port where nobody listens.
int unused_port();

} // namespace phx::test
