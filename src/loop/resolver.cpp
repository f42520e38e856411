#include "src/loop/resolver.hpp"

#include "src/loop/loop_core.hpp"

#include <algorithm>
#include <array>
#include <netdb.h>
#include <utility>
#include <uv.h>

namespace phx::shell {
namespace {

std::vector<std::string> addresses_of(const addrinfo* list) {
    std::vector<std::string> addresses;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
        std::array<char, NI_MAXHOST> text{};
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                        NI_NUMERICHOST) == 0 &&
            std::find(addresses.begin(), addresses.end(), text.data()) == addresses.end()) {
            addresses.emplace_back(text.data());
        }
    }
    return addresses;
}

} // namespace

struct Resolver::Request {
    uv_getaddrinfo_t handle{};
    Resolver* owner = nullptr; // null when nobody waits any more
    std::string host;
    Done done;

    void finish(int status, std::vector<std::string> addresses) {
        if (!owner) return;
        owner->request_ = nullptr;
        if (!addresses.empty()) return done(std::move(addresses));
        const char* const why = status < 0 ? uv_strerror(status) : "it has no address";
        done(fail(Errc::connect_failed,
                  "cannot resolve the host name " + host + ": " + why + "; check the name and the network",
                  Origin::transport));
    }
};

Resolver::~Resolver() {
    if (!request_) return;
    request_->owner = nullptr;
    request_->done = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&request_->handle));
}

void Resolver::resolve(const std::string& host, Done done) {
    request_ = new Request;
    request_->owner = this;
    request_->host = host;
    request_->done = std::move(done);
    request_->handle.data = request_;
    in6_addr scratch{};
    const bool numeric = uv_inet_pton(AF_INET, host.c_str(), &scratch) == 0 ||
                         uv_inet_pton(AF_INET6, host.c_str(), &scratch) == 0;
    if (numeric) { // nothing to look up, and look-ups that hang may occupy libuv's threads for long
        loop_.post([request = std::unique_ptr<Request>(request_)] { request->finish(0, {request->host}); });
        return;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    const int status = uv_getaddrinfo(
        loop_.uv(), &request_->handle,
        [](uv_getaddrinfo_t* handle, int result, addrinfo* list) {
            const std::unique_ptr<Request> request(static_cast<Request*>(handle->data));
            request->finish(result, addresses_of(list));
            uv_freeaddrinfo(list);
        },
        host.c_str(), nullptr, &hints);
    if (status == 0) return;
    // Not even started: the name is too long, or there is no memory. The answer still comes later.
    loop_.post([request = std::unique_ptr<Request>(request_), status] { request->finish(status, {}); });
}

} // namespace phx::shell
