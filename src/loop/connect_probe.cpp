#include "src/loop/connect_probe.hpp"

#include "src/loop/loop_core.hpp"

#include <netdb.h>
#include <utility>
#include <uv.h>

namespace phx::shell {

struct ConnectProbe::Request {
    uv_tcp_t socket{};
    uv_connect_t connect{};
    ConnectProbe* owner = nullptr; // null when nobody waits any more
    Function<void(std::string)> done;

    void finish(int status) {
        uv_close(reinterpret_cast<uv_handle_t*>(&socket),
                 [](uv_handle_t* handle) { delete static_cast<Request*>(handle->data); });
        if (!owner) return;
        owner->request_ = nullptr;
        done(status < 0 ? uv_strerror(status) : std::string());
    }
};

ConnectProbe::~ConnectProbe() {
    if (!request_) return;
    request_->owner = nullptr;
    request_->done = nullptr;
    // The connect now ends with UV_ECANCELED, and the request with it.
    uv_close(reinterpret_cast<uv_handle_t*>(&request_->socket),
             [](uv_handle_t* handle) { delete static_cast<Request*>(handle->data); });
}

void ConnectProbe::start(const std::string& address, std::uint16_t port, Function<void(std::string)> done) {
    request_ = new Request;
    request_->owner = this;
    request_->done = std::move(done);
    request_->socket.data = request_;
    request_->connect.data = request_;
    uv_tcp_init(loop_.uv(), &request_->socket);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* target = nullptr;
    int status = UV_EINVAL;
    if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &target) == 0) {
        status = uv_tcp_connect(&request_->connect, &request_->socket, target->ai_addr,
                                [](uv_connect_t* connect, int result) {
                                    if (result != UV_ECANCELED)
                                        static_cast<Request*>(connect->data)->finish(result);
                                });
        freeaddrinfo(target);
    }
    if (status == 0) return;
    Request* const request = std::exchange(request_, nullptr);
    loop_.post(
        [done = std::move(request->done), why = std::string(uv_strerror(status))]() mutable { done(why); });
    request->owner = nullptr;
    request->finish(status);
}

} // namespace phx::shell
