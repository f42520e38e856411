#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace phx::test {

/// An HTTP proxy on 127.0.0.1 that grants every CONNECT, and relays to a port of 127.0.0.1 whatever name was
/// asked for.
class ConnectProxy {
public:
    explicit ConnectProxy(int target_port);
    /// Ends what it relays.
    ~ConnectProxy();
    ConnectProxy(const ConnectProxy&) = delete;
    ConnectProxy& operator=(const ConnectProxy&) = delete;

    /// http://CREDENTIALS@127.0.0.1:PORT
    std::string url(std::string_view credentials = {}) const;
    /// The heads of the requests that came, once there are that many (fewer after a deadline).
    std::vector<std::string> requests(std::size_t count);

private:
    void serve();
    void relay(int client);

    int listener_ = -1;
    int port_ = 0;
    int target_port_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> requests_;
    std::vector<int> sockets_; // open as long as the proxy
    std::vector<std::thread> relays_;
    std::thread thread_;
};

} // namespace phx::test
