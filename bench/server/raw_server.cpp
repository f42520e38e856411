// raw_server one-write|batched: what the kernel allows. An epoll server on one thread that validates nothing
// and repeats ready frames; `one-write` writes each of them by itself, `batched` writes once for each
// connection and turn. Prints its port.
//
// The first frame of a connection joins it; to a topic with "fanout" in its name, and then each further one
// is repeated to everybody who is in it and answered, or to another, and then it is only answered. Broadcast
// and answer are made of the first frame of their kind. Clients mask with zeros.
#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

enum class Writes { each, batched };

struct Connection {
    int fd = -1;
    enum class Phase { http, joining, echo, member } phase = Phase::http;
    bool is_dirty = false;
    bool is_stalled = false; // waits for EPOLLOUT
    std::string in = {};     // the begin of a frame
    std::string out = {};
};

std::string frame_of_server(const std::string& text) {
    std::string frame(1, static_cast<char>(0x81));
    if (text.size() < 126) {
        frame += static_cast<char>(text.size());
    } else {
        frame += static_cast<char>(126);
        frame += static_cast<char>(text.size() >> 8);
        frame += static_cast<char>(text.size() & 0xff);
    }
    return frame + text;
}

/// ["join_ref","ref","topic","event",payload], as the load generator writes it.
struct Push {
    explicit Push(std::string_view text) {
        constexpr std::string_view refs = "[\"1\",\"100000\",";
        after_refs = text.substr(refs.size());
        topic = after_refs.substr(0, after_refs.find(','));
        payload = after_refs.substr(after_refs.find('{'));
        payload.remove_suffix(1);
    }
    std::string broadcast() const { return "[null,null," + std::string(after_refs); }
    std::string reply(std::string_view response) const {
        return "[\"1\",\"100000\"," + std::string(topic) + R"(,"phx_reply",{"status":"ok","response":)" +
               std::string(response) + "}]";
    }
    std::string_view after_refs, topic, payload;
};

class Server {
public:
    Server(Writes writes, int listener)
        : writes_(writes), listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
    }
    void run() {
        std::array<epoll_event, 1024> events;
        for (;;) {
            const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < ready; ++i) {
                auto* const connection =
                    static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
                if (!connection)
                    accept_all();
                else if (events[static_cast<std::size_t>(i)].events & EPOLLOUT)
                    flush(*connection);
                else
                    receive(*connection);
            }
            for (Connection* each : dirty_) flush(*each);
            dirty_.clear();
        }
    }

private:
    void watch(int operation, int fd, std::uint32_t events, Connection* connection) const {
        epoll_event event{};
        event.events = events;
        event.data.ptr = connection;
        epoll_ctl(epoll_, operation, fd, &event);
    }

    void accept_all() {
        for (;;) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            all_.push_back(std::make_unique<Connection>());
            all_.back()->fd = fd;
            watch(EPOLL_CTL_ADD, fd, EPOLLIN, all_.back().get());
        }
    }

    void receive(Connection& connection) {
        const std::size_t kept = connection.in.size();
        std::memcpy(buffer_.data(), connection.in.data(), kept);
        const ssize_t n = recv(connection.fd, buffer_.data() + kept, buffer_.size() - kept, 0);
        if (n <= 0) { // the load generator has what it wanted
            watch(EPOLL_CTL_DEL, connection.fd, 0, nullptr);
            return;
        }
        std::string_view bytes(buffer_.data(), kept + static_cast<std::size_t>(n));
        if (connection.phase == Connection::Phase::http) {
            if (!bytes.ends_with("\r\n\r\n")) return connection.in.assign(bytes), void();
            connection.phase = Connection::Phase::joining;
            // The accept of the key in RFC 6455, section 1.3, which the load generator sends.
            write(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
            return;
        }
        while (bytes.size() >= 8) {
            const auto* const p = reinterpret_cast<const unsigned char*>(bytes.data());
            const std::size_t head = (p[1] & 0x7f) == 126 ? 8 : 6;
            const std::size_t size = head == 8 ? std::size_t{p[2]} << 8 | p[3] : p[1] & std::size_t{0x7f};
            if (bytes.size() < head + size) break;
            take(connection, bytes.substr(head, size));
            bytes.remove_prefix(head + size);
        }
        connection.in.assign(bytes);
    }

    void take(Connection& connection, std::string_view text) {
        using Phase = Connection::Phase;
        if (connection.phase == Phase::joining) {
            const bool is_member = text.find("fanout") != text.npos;
            connection.phase = is_member ? Phase::member : Phase::echo;
            if (is_member) members_.push_back(&connection);
            write(connection, frame_of_server(Push(text).reply("{}")));
        } else if (connection.phase == Phase::echo) {
            if (echo_.empty()) echo_ = frame_of_server(Push(text).reply(Push(text).payload));
            write(connection, echo_);
        } else {
            if (broadcast_.empty()) {
                broadcast_ = frame_of_server(Push(text).broadcast());
                reply_ = frame_of_server(Push(text).reply("{}"));
            }
            for (Connection* member : members_) write(*member, broadcast_);
            write(connection, reply_);
        }
    }

    void write(Connection& connection, std::string_view bytes) {
        if (writes_ == Writes::batched || connection.is_stalled) {
            connection.out += bytes;
            if (!connection.is_dirty && !connection.is_stalled) {
                connection.is_dirty = true;
                dirty_.push_back(&connection);
            }
            return;
        }
        const ssize_t n = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        const std::size_t written = n < 0 ? 0 : static_cast<std::size_t>(n);
        if (written < bytes.size()) {
            connection.out = bytes.substr(written);
            stall(connection);
        }
    }

    void flush(Connection& connection) {
        connection.is_dirty = false;
        const ssize_t n = send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
        const std::size_t written = n < 0 ? 0 : static_cast<std::size_t>(n);
        if (written < connection.out.size()) {
            connection.out.erase(0, written);
            if (!connection.is_stalled) stall(connection);
            return;
        }
        connection.out.clear();
        if (connection.is_stalled) {
            connection.is_stalled = false;
            watch(EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
        }
    }

    void stall(Connection& connection) {
        connection.is_stalled = true;
        watch(EPOLL_CTL_MOD, connection.fd, EPOLLOUT, &connection);
    }

    Writes writes_;
    int listener_, epoll_;
    std::vector<std::unique_ptr<Connection>> all_;
    std::vector<Connection*> members_, dirty_;
    std::string broadcast_, reply_, echo_;
    std::array<char, 256u << 10> buffer_{};
};

} // namespace

int main(int argc, char** argv) {
    const std::string_view writes = argc == 2 ? argv[1] : "";
    if (writes != "one-write" && writes != "batched") {
        std::fprintf(stderr, "usage: raw_server one-write|batched\n");
        return 2;
    }
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::perror("raw_server");
        return 1;
    }
    std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    Server(writes == "batched" ? Writes::batched : Writes::each, listener).run();
}
