#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <utility>
#include <vector>

/// The head of a client's upgrade to protocol version 2.
inline constexpr std::string_view upgrade_request =
    "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connected, blocking socket; `number` spreads many over the addresses of the loopback network, each of
/// which has about 28,000 ports.
int connect_to(int port, std::size_t number);

/// Connections to one server, driven by the thread that calls. They exchange ready frames and look at
/// nothing but the headers; whoever reads looks at the text if he wants to.
class Connections {
public:
    explicit Connections(int port);
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    std::size_t size() const { return all_.size(); }

    /// Opens `count` more; each sends `join_of(its number)` after its upgrade. Returns when each has got
    /// "ok" for it. 64 are on their way at any time.
    template <class JoinOf, class OnFrame>
    void open(std::size_t count, JoinOf&& join_of, OnFrame&& on_frame) {
        constexpr std::size_t at_once = 64;
        std::size_t opened = 0, joined = 0;
        while (joined < count) {
            for (; opened < count && opened - joined < at_once; ++opened) start(join_of(all_.size()));
            read([&](std::size_t number, std::string_view text) {
                if (!all_[number].is_joined && is_reply(text)) {
                    all_[number].is_joined = true;
                    ++joined;
                } else {
                    on_frame(number, text);
                }
            });
        }
    }
    template <class JoinOf> void open(std::size_t count, JoinOf&& join_of) {
        open(count, join_of, [](std::size_t, std::string_view) {});
    }

    /// Blocks until the system has taken it.
    void send(std::size_t number, std::string_view frames);

    /// Waits for something to arrive, and calls on_frame(number, text) for every whole frame.
    template <class OnFrame> void read(OnFrame&& on_frame) {
        constexpr int patience_ms = 20'000;
        if (!read_for(patience_ms, on_frame))
            throw std::runtime_error("what the server owes does not arrive");
    }
    /// The same, for so long at the most; whether something has arrived.
    template <class OnFrame> bool read_for(int timeout_ms, OnFrame&& on_frame) {
        const int ready = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
        for (int i = 0; i < ready; ++i) {
            const auto number = static_cast<std::size_t>(events_[static_cast<std::size_t>(i)].data.u64);
            std::string_view bytes = receive(number);
            for (std::string_view text; next_frame(bytes, text);) on_frame(number, text);
            all_[number].partial.assign(bytes);
        }
        return ready > 0;
    }

    /// Whether it is a reply; throws if that is not "ok".
    static bool is_reply(std::string_view text);

private:
    struct Connection {
        int fd = -1;
        bool is_upgraded = false;
        bool is_joined = false;
        std::string join = {};    // until it is sent
        std::string partial = {}; // the begin of a frame
    };

    void start(std::string join);
    /// What has arrived, with the partial frame of before; empty until the upgrade is done.
    std::string_view receive(std::size_t number);
    static bool next_frame(std::string_view& bytes, std::string_view& text) {
        const auto* const p = reinterpret_cast<const unsigned char*>(bytes.data());
        if (bytes.size() < 2) return false;
        std::size_t head = 2, size = p[1];
        if (size == 126) {
            if (bytes.size() < (head = 4)) return false;
            size = std::size_t{p[2]} << 8 | p[3];
        } else if (size == 127) {
            if (bytes.size() < (head = 10)) return false;
            size = 0;
            for (std::size_t i = 2; i < head; ++i) size = size << 8 | p[i];
        }
        if (bytes.size() - head < size) return false;
        if ((p[0] & 0x0f) == 8)
            throw std::runtime_error("the server closed a connection with " +
                                     (size < 2 ? "no code" : std::to_string(p[head] << 8 | p[head + 1])));
        text = bytes.substr(head, size);
        bytes.remove_prefix(head + size);
        return true;
    }

    int port_;
    int epoll_;
    std::vector<Connection> all_;
    std::array<epoll_event, 1024> events_{};
    std::vector<char> buffer_;
};
