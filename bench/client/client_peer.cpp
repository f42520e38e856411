// The other end of bench/client: a server that does nothing but what a bench asks for by its topic, on
// blocking sockets, one thread for each connection.
//
//   bench:flood:COUNT:BYTES   after the first push: COUNT broadcasts of BYTES each, then the reply
//   bench:sink:COUNT          reads COUNT frames, then answers the next
//   bench:echo                answers every frame
#include "protocol/wire/handshake.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

struct Frame {
    std::string_view join_ref, ref, topic;
};

class Connection {
public:
    explicit Connection(int fd) : fd_(fd) {}
    ~Connection() { close(fd_); }

    bool upgrade() {
        std::size_t end = 0;
        while ((end = in_.find("\r\n\r\n")) == in_.npos)
            if (!fill()) return false;
        constexpr std::string_view name = "Sec-WebSocket-Key: ";
        const std::size_t key = in_.find(name) + name.size();
        const std::string accept =
            phx::protocol::websocket_accept(in_.substr(key, in_.find("\r\n", key) - key));
        in_.erase(0, end + 4);
        return write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: " +
                     accept + "\r\n\r\n");
    }

    /// The next text frame, unmasked in place when it is `wanted`; false at the end.
    bool next(std::string_view& text, bool wanted) {
        for (;;) {
            const std::size_t left = in_.size() - at_;
            const auto* p = reinterpret_cast<unsigned char*>(in_.data()) + at_;
            if (left >= 6) {
                std::size_t size = p[1] & 0x7f, head = 6;
                if (size == 126 && left >= 8) size = std::size_t{p[2]} << 8 | p[3], head = 8;
                if (size <= 65535 && head + size <= left && (size < 126 || head == 8)) {
                    const unsigned char* mask = p + head - 4;
                    char* payload = in_.data() + at_ + head;
                    if (wanted)
                        for (std::size_t i = 0; i < size; ++i)
                            payload[i] = static_cast<char>(payload[i] ^ mask[i & 3]);
                    at_ += head + size;
                    text = {payload, size};
                    if ((p[0] & 0x0f) == 1) return true;
                    if ((p[0] & 0x0f) == 8) return false;
                    continue;
                }
            }
            if (!flush()) return false; // what was answered leaves before we wait
            in_.erase(0, at_);
            at_ = 0;
            if (!fill()) return false;
        }
    }

    void send_text(std::string_view text) {
        out_ += static_cast<char>(0x81);
        if (text.size() < 126) {
            out_ += static_cast<char>(text.size());
        } else {
            out_ += static_cast<char>(126);
            out_ += static_cast<char>(text.size() >> 8);
            out_ += static_cast<char>(text.size() & 0xff);
        }
        out_ += text;
        if (out_.size() >= (256u << 10)) flush();
    }
    void reply(const Frame& to) {
        std::string text = "[\"";
        text.append(to.join_ref).append("\",\"").append(to.ref).append("\",\"").append(to.topic);
        send_text(text += R"(","phx_reply",{"status":"ok","response":{}}])");
    }
    bool flush() {
        const bool ok = out_.empty() || write(out_);
        out_.clear();
        return ok;
    }

private:
    bool fill() {
        static thread_local char buffer[256u << 10];
        const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
        if (n > 0) in_.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    int fd_;
    std::string in_, out_;
    std::size_t at_ = 0;
};

/// ["join_ref","ref","topic",...
Frame read_frame(std::string_view text) {
    auto string = [&text] {
        const std::size_t begin = text.find('"') + 1, end = text.find('"', begin);
        const std::string_view value = text.substr(begin, end - begin);
        text.remove_prefix(end + 1);
        return value;
    };
    Frame frame;
    frame.join_ref = string();
    frame.ref = string();
    frame.topic = string();
    return frame;
}

std::size_t number_in(std::string_view topic, int field) {
    for (; field > 0; --field) topic.remove_prefix(topic.find(':') + 1);
    return std::strtoul(std::string(topic).c_str(), nullptr, 10);
}

void serve(int fd) {
    Connection connection(fd);
    std::string_view text;
    if (!connection.upgrade() || !connection.next(text, true)) return;
    const std::string join(text);
    const Frame joined = read_frame(join);
    const std::string topic(joined.topic);
    connection.reply(joined);
    if (topic.starts_with("bench:sink:")) {
        for (std::size_t left = number_in(topic, 2); left > 0; --left)
            if (!connection.next(text, false)) return;
    } else if (topic.starts_with("bench:flood:")) {
        if (!connection.next(text, true)) return;
        const std::string go(text);
        const std::size_t bytes = number_in(topic, 3);
        std::string message = "[null,null,\"" + topic + R"(","shout",{"body":")";
        message += std::string(bytes - message.size() - 3, 'x') + "\"}]";
        for (std::size_t left = number_in(topic, 2); left > 0; --left) connection.send_text(message);
        connection.reply(read_frame(go));
    }
    while (connection.next(text, true)) connection.reply(read_frame(text));
}

} // namespace

int main() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::perror("client_peer");
        return 1;
    }
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    for (;;) {
        const int fd = accept(listener, nullptr, nullptr);
        if (fd < 0) return 1;
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        std::thread(serve, fd).detach();
    }
}
