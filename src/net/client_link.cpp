#include "src/net/client_link.hpp"

#include "src/lws/context.hpp"
#include "src/net/proxy_environment.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <utility>

namespace phx::shell {
namespace {

constexpr auto last_words = std::chrono::seconds(1);     // for output that is still to be written
constexpr std::size_t max_encrypted_at_once = 64u << 10; // kept when the system does not take it
constexpr std::size_t max_pending_bytes = 256u << 10;    // encrypted: ours, and answers of TLS itself

} // namespace

ClientLink::ClientLink(LoopCore& loop, Listener& listener, const ConnectionTarget& target)
    : loop_(loop), listener_(listener), target_(target), resolver_(loop), dialer_(loop), stream_(*this),
      patience_(loop, [this] { end(); }) {}

void ClientLink::open() {
    assert(state_ == State::idle);
    if (loop_.system()) return dial_virtually();
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

Result<std::optional<protocol::Proxy>> ClientLink::choose_proxy() const {
    const std::string url = target_.network.proxy ? *target_.network.proxy
                                                  : protocol::proxy_for(target_.url, proxy_environment());
    if (url.empty()) return std::optional<protocol::Proxy>();
    auto proxy = protocol::parse_proxy(url);
    if (!proxy) return Failure{std::move(proxy).error()};
    return std::optional(std::move(*proxy));
}

void ClientLink::handle_addresses(Result<std::vector<std::string>> addresses) {
    if (state_ != State::resolving) return;
    if (!addresses) {
        Error error = std::move(addresses).error();
        if (proxy_) error.message = "the proxy: " + error.message;
        return end_with(std::move(error));
    }
    dial(std::move(*addresses));
}

void ClientLink::dial(std::vector<std::string> addresses) {
    state_ = State::connecting;
    DialTarget target;
    target.addresses = std::move(addresses);
    target.unix_socket = target_.network.unix_socket;
    target.local_address = target_.network.local_address;
    target.place = proxy_ ? proxy_name() : target_.place();
    target.port = proxy_ ? proxy_->port : target_.url.port;
    dialer_.dial(std::move(target),
                 [this](Result<Descriptor> socket) { handle_connected(std::move(socket)); });
}

/// All hosts are one, and nobody listens in.
void ClientLink::dial_virtually() {
    state_ = State::connecting;
    stream_.dial(*loop_.system(), [this](bool is_accepted) {
        if (is_accepted) return become_open();
        end_with(fail(Errc::connect_failed, "cannot connect to " + target_.place() + ": refused",
                      Origin::transport)
                     .error);
    });
}

void ClientLink::handle_connected(Result<Descriptor> socket) {
    if (state_ != State::connecting) return;
    if (!socket) return end_with(std::move(socket).error());
    auto adopted = stream_.adopt(loop_.context(), std::move(*socket));
    if (!adopted) return end_with(std::move(adopted).error());
    if (!proxy_) return secure();
    state_ = State::proxying;
    pending_ = protocol::connect_request(target_.url, *proxy_);
    write_pending();
}

void ClientLink::secure() {
    if (!target_.url.tls) return become_open();
    const std::string& name = target_.tls.server_name.empty() ? target_.url.host : target_.tls.server_name;
    tls_ = std::make_unique<TlsSession>(tls_context_, target_.tls, name);
    state_ = State::securing;
    handle_handshake();
}

void ClientLink::handle_handshake() {
    tls_->handshake();
    tls_->take_output(pending_);
    write_pending();
    if (tls_->state() == TlsSession::State::failed) return end_with(tls_->error(target_.place()));
    if (tls_->state() == TlsSession::State::open) become_open();
}

void ClientLink::become_open() {
    state_ = State::open;
    listener_.link_opened();
}

// ---- bytes that come

void ClientLink::stream_received(std::span<char> bytes) {
    if (tls_) {
        receive_encrypted(bytes);
    } else {
        handle_bytes(bytes);
    }
}

void ClientLink::receive_encrypted(std::span<char> bytes) {
    std::array<char, 16u << 10> plain; // a record
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
    if (tls_->state() == TlsSession::State::failed) return end_with(tls_->error(target_.place()));
    if (pending_.size() > max_pending_bytes) {
        return end_with(fail(Errc::tls_failed,
                             target_.place() + " demands answers of TLS and does not read them", Origin::peer)
                            .error);
    }
    if (tls_->state() == TlsSession::State::closed) return stream_ended();
    write_later(); // what TLS did not take before these bytes
}

void ClientLink::handle_bytes(std::span<char> bytes) {
    switch (state_) {
    case State::open: return listener_.link_received(bytes);
    case State::proxying: return handle_answer(bytes);
    case State::refused:
        if (refusal_->feed(bytes)) end();
        return;
    default: return;
    }
}

/// Of the proxy.
void ClientLink::handle_answer(std::span<char> bytes) {
    using Status = protocol::HttpResponseReader::Status;
    const auto fed = reader_.feed({bytes.data(), bytes.size()});
    if (fed.status == Status::incomplete) return;
    if (fed.status != Status::complete) {
        return end_with(unreadable_error(proxy_name(), fed.status, "; check that it is an HTTP proxy",
                                         Origin::transport));
    }
    const std::span<char> rest = bytes.subspan(fed.taken);
    if (reader_.response().status / 100 == 2) {
        reader_ = {};
        secure();
        if (!rest.empty() && state_ != State::ended) stream_received(rest);
        return;
    }
    refusal_.emplace(std::move(reader_.response()));
    state_ = State::refused;
    patience_.arm(HttpRefusal::patience(loop_.now(), target_));
    if (refusal_->is_over() || refusal_->feed(rest)) end();
}

void ClientLink::stream_ended() {
    switch (state_) {
    case State::refused:
    case State::open: return end();
    case State::securing: return end_with(tls_->error(target_.place()));
    case State::proxying:
        return end_with(fail(Errc::connect_failed,
                             proxy_name() +
                                 " closed the connection before it answered the CONNECT; check that "
                                 "it is an HTTP proxy",
                             Origin::transport)
                            .error);
    default: return;
    }
}

// ---- bytes that go

void ClientLink::say(std::string_view bytes) {
    assert(state_ == State::open);
    said_ += bytes;
    flush();
}

bool ClientLink::write_pending() {
    constexpr std::size_t max_idle_bytes = 4u << 10; // what an idle connection may keep
    if (pending_.empty()) return true;
    pending_.erase(0, stream_.write(pending_));
    if (pending_.empty() && pending_.capacity() > max_idle_bytes) pending_ = {};
    return pending_.empty();
}

void ClientLink::flush() {
    if (!stream_.is_open() || !write_pending()) return;
    while (state_ == State::open) {
        const bool is_said = !said_.empty();
        std::string_view output =
            is_said ? std::string_view(said_).substr(said_written_) : listener_.link_output();
        if (output.empty()) break;
        if (tls_) output = output.substr(0, max_encrypted_at_once);
        const std::size_t written = tls_ ? tls_->write(output, pending_) : stream_.write(output);
        const bool is_all = write_pending() && written == output.size();
        if (is_said) {
            note_said(written);
        } else {
            listener_.link_wrote(written);
        }
        if (tls_ && tls_->state() == TlsSession::State::failed) return end_with(tls_->error(target_.place()));
        if (!is_all) return;
    }
    if (is_closing_) end();
}

void ClientLink::note_said(std::size_t written) {
    said_written_ += written;
    if (said_written_ < said_.size()) return;
    said_ = {};
    said_written_ = 0;
}

// ---- the end

void ClientLink::close_after_output() {
    if (state_ != State::open) return end();
    is_closing_ = true;
    patience_.arm(loop_.now() + last_words);
    write_later();
}

Failure ClientLink::refusal_failure() const {
    const int status = refusal_->status();
    const bool is_auth = status == 407;
    return fail(is_auth ? Errc::bad_auth : Errc::connect_failed,
                proxy_name() + " refused to connect to " + target_.place() + " with HTTP " +
                    std::to_string(status) +
                    (is_auth ? "; check the credentials in NetworkOptions::proxy"
                             : "; check what the proxy allows and reaches"),
                Origin::transport);
}

void ClientLink::end() {
    if (state_ == State::idle || state_ == State::ended) return;
    end_with(refusal_ ? refusal_->end(refusal_failure()) : LinkEnd{});
}

void ClientLink::drop() {
    alive_.reset(); // also for an end that is on its way
    if (state_ != State::ended) shut();
}

void ClientLink::shut() {
    if (tls_ && state_ == State::open) {
        tls_->close();
        tls_->take_output(pending_);
        write_pending();
    }
    state_ = State::ended;
    patience_.arm({});
    stream_.drop();
}

void ClientLink::end_with(LinkEnd how) {
    shut();
    // Later: the caller may be in the middle of something, and the listener may destroy this.
    loop_.post([this, alive = std::weak_ptr<bool>(alive_), how = std::move(how)]() mutable {
        if (!alive.expired()) listener_.link_ended(std::move(how));
    });
}

} // namespace phx::shell
