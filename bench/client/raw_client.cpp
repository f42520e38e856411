#include "bench/client/raw_client.hpp"

#include "bench/client/frames.hpp"
#include "bench/client/measure.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

// What the kernel allows: blocking sockets, frames that are ready, a reader that looks at headers only.
namespace {

class RawClient {
public:
    explicit RawClient(int port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("connect");
        write("GET /socket/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        std::string head;
        while (head.find("\r\n\r\n") == head.npos) {
            char c = 0;
            if (recv(fd_, &c, 1, 0) != 1) throw std::runtime_error("upgrade");
            head += c;
        }
    }
    ~RawClient() { close(fd_); }

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) throw std::runtime_error("send");
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    /// Blocks until there is a frame; returns how many whole ones were read. Frames are below 64 KiB.
    std::size_t read_frames() {
        std::size_t frames = 0;
        while (frames == 0) {
            const ssize_t n = recv(fd_, buffer_ + filled_, sizeof buffer_ - filled_, 0);
            if (n <= 0) throw std::runtime_error("recv");
            filled_ += static_cast<std::size_t>(n);
            std::size_t at = 0;
            while (filled_ - at >= 4) {
                const auto* p = reinterpret_cast<const unsigned char*>(buffer_ + at);
                const bool is_long = p[1] == 126;
                const std::size_t size =
                    is_long ? 4 + (std::size_t{p[2]} << 8 | p[3]) : 2 + std::size_t{p[1]};
                if (filled_ - at < size) break;
                at += size;
                ++frames;
            }
            std::memmove(buffer_, buffer_ + at, filled_ -= at);
        }
        return frames;
    }
    void wait_for(std::size_t frames) {
        for (std::size_t got = 0; got < frames;) got += read_frames();
    }

private:
    int fd_ = -1;
    std::size_t filled_ = 0;
    char buffer_[256u << 10];
};

void join(RawClient& client, const std::string& topic) {
    client.write(push_of(topic, "phx_join", "{}"));
    client.wait_for(1);
}

} // namespace

void raw_receive(int port, std::size_t count, std::size_t bytes) {
    RawClient client(port);
    const std::string topic = "bench:flood:" + std::to_string(count) + ':' + std::to_string(bytes);
    join(client, topic);
    const Stopwatch watch;
    client.write(push_of(topic, "go", "{}"));
    client.wait_for(count + 1);
    print_result(count, watch.seconds(), watch.cpu_seconds());
}

void raw_send(int port, std::size_t count, const std::string& payload) {
    RawClient client(port);
    const std::string topic = "bench:sink:" + std::to_string(count);
    join(client, topic);
    std::string batch;
    constexpr std::size_t frames_per_write = 1000;
    for (std::size_t i = 0; i < frames_per_write; ++i) batch += push_of(topic, "cursor", payload);
    const Stopwatch watch;
    for (std::size_t sent = 0; sent < count; sent += frames_per_write) client.write(batch);
    client.write(push_of(topic, "done", "{}"));
    client.wait_for(1);
    print_result(count, watch.seconds(), watch.cpu_seconds());
}

void raw_call(int port, std::size_t count, std::size_t window, const std::string& payload) {
    RawClient client(port);
    join(client, "bench:echo");
    const std::string push = push_of("bench:echo", "ask", payload);
    std::string batch;
    for (std::size_t i = 0; i < window; ++i) batch += push;
    std::vector<double> times;
    const Stopwatch watch;
    client.write(batch);
    std::size_t sent = window;
    double before = watch.seconds();
    for (std::size_t got = 0; got < count;) {
        const std::size_t frames = client.read_frames();
        got += frames;
        if (window == 1) {
            const double now = watch.seconds();
            times.push_back((now - before) * 1e6);
            before = now;
        }
        const std::size_t more = std::min(frames, count - std::min(count, sent));
        client.write(std::string_view(batch).substr(0, more * push.size()));
        sent += more;
    }
    print_result(count, watch.seconds(), watch.cpu_seconds(), median(times));
}
