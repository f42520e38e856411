#include "src/net/dialer.hpp"

#include "src/net/socket_address.hpp"

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <utility>
#include <uv.h>

namespace phx::shell {
namespace {

constexpr const char* no_local_address = "local_address has no address of this family";

std::string system_text(int error) { return uv_strerror(uv_translate_sys_error(error)); }

/// Empty if it was bound, or need not be.
std::string bind_to_local(int descriptor, int family, const std::string& local) {
    if (local.empty() || family == AF_UNIX) return {};
    for (const SocketAddress& address : local_addresses(local)) {
        if (address.family() != family) continue;
        return ::bind(descriptor, address.get(), address.size) == 0 ? std::string()
                                                                    : "local_address: " + system_text(errno);
    }
    return no_local_address;
}

} // namespace

/// One connect() under way.
struct Dialer::Attempt {
    uv_poll_t poll{};
    Dialer* dialer = nullptr;
    std::string address;
    Descriptor socket;

    /// Starts it; says why not if it has failed already.
    std::string start(Dialer& owner, const SocketAddress& to) {
        dialer = &owner;
        socket = Descriptor(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!socket) return system_text(errno);
        const int on = 1; // frames are written whole: waiting for more only delays them
        if (to.family() != AF_UNIX) setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (auto why = bind_to_local(socket.get(), to.family(), owner.target_.local_address); !why.empty())
            return why;
        if (::connect(socket.get(), to.get(), to.size) != 0 && errno != EINPROGRESS)
            return system_text(errno);
        if (const int error = uv_poll_init(owner.loop_.uv(), &poll, socket.get()); error != 0)
            return uv_strerror(error);
        poll.data = this;
        uv_poll_start(&poll, UV_WRITABLE, [](uv_poll_t* handle, int status, int) {
            auto* const self = static_cast<Attempt*>(handle->data);
            self->dialer->handle_outcome(*self, status);
        });
        return {};
    }
    /// REQUIRES to be started. The descriptor may be used by others from now on.
    void end() {
        uv_poll_stop(&poll);
        uv_close(reinterpret_cast<uv_handle_t*>(&poll),
                 [](uv_handle_t* handle) { delete static_cast<Attempt*>(handle->data); });
    }
};

Dialer::Dialer(LoopCore& loop, Duration attempt_delay)
    : loop_(loop), timer_(loop, [this] { start_next(); }), attempt_delay_(attempt_delay) {}

Dialer::~Dialer() {
    while (!attempts_.empty()) drop(*attempts_.back());
}

void Dialer::dial(DialTarget target, Done done) {
    target_ = std::move(target);
    done_ = std::move(done);
    if (!target_.unix_socket.empty()) {
        target_.addresses = {target_.unix_socket};
    } else {
        target_.addresses = interleave_families(target_.addresses);
    }
    start_next();
}

void Dialer::start_next() {
    while (next_ < target_.addresses.size()) {
        const std::string& text = target_.addresses[next_++];
        const auto address =
            target_.unix_socket.empty() ? parse_address(text, target_.port) : unix_address(text);
        auto attempt = std::make_unique<Attempt>();
        attempt->address = text;
        std::string why = address ? attempt->start(*this, *address) : "no address";
        if (why.empty()) {
            attempts_.push_back(attempt.release());
            const bool is_last = next_ == target_.addresses.size();
            return timer_.arm(is_last ? std::nullopt : std::optional(loop_.now() + attempt_delay_));
        }
        note_failure(text, why);
    }
    if (attempts_.empty()) fail_all();
}

void Dialer::note_failure(const std::string& address, const std::string& why) {
    constexpr std::size_t max_text_bytes = 500; // names with dozens of addresses exist
    if (failures_.size() > max_text_bytes) return;
    if (!failures_.empty()) failures_ += ", ";
    // One address that is what the user wrote need not be repeated.
    const bool is_named = target_.place.find(address) == std::string::npos;
    failures_ += is_named ? address + ": " + why : why;
}

void Dialer::handle_outcome(Attempt& attempt, int status) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0 && status == 0) {
        timer_.arm({});
        Descriptor winner = std::move(attempt.socket);
        // Before the descriptor is given away: libuv must have let go of it.
        while (!attempts_.empty()) drop(*attempts_.back());
        return std::exchange(done_, nullptr)(std::move(winner));
    }
    note_failure(attempt.address, error != 0 ? system_text(error) : uv_strerror(status));
    drop(attempt);
    start_next();
}

void Dialer::fail_all() {
    timer_.arm({}); // still armed when the last addresses failed before they were tried
    std::exchange(done_, nullptr)(fail(Errc::connect_failed,
                                       "cannot connect to " + target_.place + ": " + failures_ +
                                           "; check address, port and network, and that the server runs",
                                       Origin::transport));
}

void Dialer::drop(Attempt& attempt) {
    attempts_.erase(std::find(attempts_.begin(), attempts_.end(), &attempt));
    attempt.end();
    attempt.socket = Descriptor();
}

} // namespace phx::shell
