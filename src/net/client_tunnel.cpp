#include "src/net/client_tunnel.hpp"

#include "protocol/wire/handshake.hpp"
#include "protocol/wire/retry_after.hpp"
#include "src/loop/random.hpp"
#include "src/lws/context.hpp"
#include "src/net/proxy_environment.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <utility>

namespace phx::shell {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_head_bytes = 16 * 1024; // that servers take
constexpr auto body_patience = 1s;                // of a refusal
constexpr auto last_words = 1s;                   // for output that is still to be written

} // namespace

ClientTunnel::ClientTunnel(LoopCore& loop, Listener& listener)
    : loop_(loop), listener_(listener), resolver_(loop), dialer_(loop), stream_(*this),
      patience_(loop, [this] { is_closing_ ? end({}) : abort(); }) {}

void ClientTunnel::open(TunnelTarget target) {
    assert(state_ == State::idle);
    target_ = std::move(target);
    std::array<std::uint8_t, 16> random{};
    fill_random(std::span(random));
    key_ = protocol::websocket_key(random);
    if (target_.url.tls) { // first of all: options that cannot be used are no matter of the network
        auto context = loop_.context().tls().get(target_.tls);
        if (!context) return end_with(std::move(context).error());
        tls_context_ = std::move(*context);
    }
    if (!target_.network.unix_socket.empty()) return dial({});
    auto proxy = choose_proxy();
    if (!proxy) return end_with(std::move(proxy).error());
    proxy_ = std::move(*proxy);
    state_ = State::resolving;
    resolver_.resolve(
        proxy_ ? proxy_->host : target_.url.host,
        [this](Result<std::vector<std::string>> addresses) { handle_addresses(std::move(addresses)); });
}

Result<std::optional<protocol::Proxy>> ClientTunnel::choose_proxy() const {
    const std::string url = target_.network.proxy ? *target_.network.proxy
                                                  : protocol::proxy_for(target_.url, proxy_environment());
    if (url.empty()) return std::optional<protocol::Proxy>();
    auto proxy = protocol::parse_proxy(url);
    if (!proxy) return Failure{std::move(proxy).error()};
    return std::optional(std::move(*proxy));
}

void ClientTunnel::handle_addresses(Result<std::vector<std::string>> addresses) {
    if (state_ != State::resolving) return;
    if (!addresses) {
        Error error = std::move(addresses).error();
        if (proxy_) error.message = "the proxy: " + error.message;
        return end_with(std::move(error));
    }
    dial(std::move(*addresses));
}

void ClientTunnel::dial(std::vector<std::string> addresses) {
    state_ = State::connecting;
    DialTarget target;
    target.addresses = std::move(addresses);
    target.unix_socket = target_.network.unix_socket;
    target.local_address = target_.network.local_address;
    target.place = proxy_ ? "the proxy " + proxy_->place() : place();
    target.port = proxy_ ? proxy_->port : target_.url.port;
    dialer_.dial(std::move(target),
                 [this](Result<Descriptor> socket) { handle_connected(std::move(socket)); });
}

void ClientTunnel::handle_connected(Result<Descriptor> socket) {
    if (state_ != State::connecting) return;
    if (!socket) return end_with(std::move(socket).error());
    if (!stream_.adopt(loop_.context(), std::move(*socket))) {
        return end_with(fail(Errc::system_failure,
                             "libwebsockets takes no more connections: out of memory or descriptors")
                            .error);
    }
    if (!proxy_) return secure_or_upgrade();
    state_ = State::proxying;
    say(protocol::connect_request(target_.url, *proxy_));
}

void ClientTunnel::secure_or_upgrade() {
    reader_ = {};
    if (target_.url.tls && !tls_) {
        const std::string& name =
            target_.tls.server_name.empty() ? target_.url.host : target_.tls.server_name;
        tls_ = std::make_unique<TlsSession>(tls_context_, target_.tls, name);
        state_ = State::securing;
        return handle_handshake();
    }
    state_ = State::upgrading;
    const std::string head = request_head();
    if (head.size() > max_head_bytes) {
        return end_with(fail(Errc::invalid_argument, "the upgrade request has " +
                                                         std::to_string(head.size()) +
                                                         " bytes, more than 16 KiB; shorten params, headers "
                                                         "or token")
                            .error);
    }
    say(head);
}

void ClientTunnel::handle_handshake() {
    tls_->handshake();
    tls_->take_output(pending_);
    write_pending();
    if (tls_->state() == TlsSession::State::failed) return end_with(tls_->error(place()));
    if (tls_->state() == TlsSession::State::open) secure_or_upgrade();
}

// ---- bytes that come

void ClientTunnel::stream_received(std::span<char> bytes) {
    if (tls_) {
        receive_encrypted(bytes);
    } else {
        handle_bytes(bytes);
    }
}

void ClientTunnel::receive_encrypted(std::span<char> bytes) {
    std::array<char, 16 * 1024> plain; // a record
    while (!bytes.empty() && state_ != State::ended) {
        // In pieces: the memory that OpenSSL reads from grows and never shrinks.
        const std::span<char> piece = bytes.first(std::min(bytes.size(), plain.size()));
        bytes = bytes.subspan(piece.size());
        tls_->feed({piece.data(), piece.size()});
        if (state_ == State::securing) handle_handshake();
        while (state_ != State::ended) {
            const std::size_t size = tls_->read(plain);
            if (size == 0) break;
            handle_bytes({plain.data(), size});
        }
    }
    if (state_ == State::ended) return;
    tls_->take_output(pending_); // an answer to a change of keys
    write_pending();
    if (tls_->state() == TlsSession::State::failed) return end_with(tls_->error(place()));
    if (tls_->state() == TlsSession::State::closed) stream_ended();
}

void ClientTunnel::handle_bytes(std::span<char> bytes) {
    switch (state_) {
    case State::open: return listener_.tunnel_received(bytes);
    case State::proxying:
    case State::upgrading: return handle_answer(bytes);
    case State::refused:
        if (refusal_->body.feed({bytes.data(), bytes.size()})) abort();
        return;
    default: return;
    }
}

void ClientTunnel::handle_answer(std::span<char> bytes) {
    using Status = protocol::HttpResponseReader::Status;
    const auto fed = reader_.feed({bytes.data(), bytes.size()});
    if (fed.status == Status::incomplete) return;
    if (fed.status != Status::complete) return end_with(unreadable_error(fed.status));
    const State before = state_;
    handle_response(std::move(reader_.response()));
    const std::span<char> rest = bytes.subspan(fed.taken);
    if (rest.empty() || state_ == State::ended) return;
    if (before == State::proxying && state_ != State::refused) return stream_received(rest);
    handle_bytes(rest);
}

void ClientTunnel::handle_response(protocol::HttpResponse&& response) {
    if (state_ == State::proxying && response.status / 100 == 2) return secure_or_upgrade();
    if (state_ == State::proxying || response.status != 101) return note_refusal(std::move(response));
    if (auto error = check_upgrade(response)) return end_with(std::move(*error));
    reader_ = {}; // and its memory
    state_ = State::open;
    listener_.tunnel_opened();
}

void ClientTunnel::stream_ended() {
    switch (state_) {
    case State::refused: return abort();
    case State::open: return end({});
    case State::securing: return end_with(tls_->error(place()));
    case State::proxying:
    case State::upgrading: return end_with(ended_error());
    default: return;
    }
}

// ---- bytes that go

void ClientTunnel::say(std::string_view bytes) {
    if (tls_) {
        tls_->write(bytes, pending_);
    } else {
        pending_ += bytes;
    }
    write_pending();
}

bool ClientTunnel::write_pending() {
    constexpr std::size_t max_idle_bytes = 4 * 1024; // what an idle connection may keep
    if (pending_.empty()) return true;
    pending_.erase(0, stream_.write(pending_));
    if (pending_.empty() && pending_.capacity() > max_idle_bytes) pending_ = {};
    return pending_.empty();
}

void ClientTunnel::flush() {
    constexpr std::size_t max_encrypted_at_once = 64 * 1024; // kept when the system does not take it
    if (!stream_.is_open() || !write_pending()) return;
    while (state_ == State::open) {
        std::string_view output = listener_.tunnel_output();
        if (output.empty()) break;
        if (tls_) {
            output = output.substr(0, max_encrypted_at_once);
            say(output);
            listener_.tunnel_wrote(output.size());
            if (!pending_.empty()) return;
        } else {
            const std::size_t written = stream_.write(output);
            listener_.tunnel_wrote(written);
            if (written < output.size()) return;
        }
    }
    if (is_closing_) end({});
}

// ---- the end

void ClientTunnel::close_after_output() {
    if (state_ != State::open) return abort();
    is_closing_ = true;
    patience_.arm(loop_.now() + last_words);
    write_later();
}

void ClientTunnel::note_refusal(protocol::HttpResponse&& response) {
    constexpr std::size_t max_body_bytes = 16 * 1024;
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = response.status;
    const auto wait = protocol::parse_retry_after(response.header("retry-after"), response.header("date"));
    refusal_ = Refusal{.detail = std::move(detail),
                       .body = protocol::HttpBody(response, max_body_bytes),
                       .retry_after = wait,
                       .is_by_proxy = state_ == State::proxying};
    refusal_->detail->http_headers = std::move(response.headers);
    state_ = State::refused;
    patience_.arm(loop_.now() + body_patience);
    if (refusal_->body.is_over()) abort();
}

void ClientTunnel::abort() {
    if (state_ == State::idle || state_ == State::ended) return;
    if (!refusal_) return end({});
    const auto retry_after = refusal_->retry_after;
    end({.error = refusal_error(), .retry_after = retry_after});
}

void ClientTunnel::end(TunnelEnd how) {
    if (tls_ && state_ == State::open) {
        tls_->close();
        tls_->take_output(pending_);
        write_pending();
    }
    state_ = State::ended;
    patience_.arm({});
    stream_.drop();
    // Later: the caller may be in the middle of something, and the listener may destroy this.
    loop_.post([this, alive = std::weak_ptr<bool>(alive_), how = std::move(how)]() mutable {
        if (!alive.expired()) listener_.tunnel_ended(std::move(how));
    });
}

} // namespace phx::shell
