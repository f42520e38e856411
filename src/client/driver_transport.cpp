#include "src/client/client_connection.hpp"
#include "src/client/driver.hpp"
#include "src/client/duration.hpp"
#include "src/client/long_poll_connection.hpp"

#include <utility>

// What carries the frames, and the fallback from one to the other.
namespace phx::shell {

std::unique_ptr<SocketConnection> Driver::make_connection(const protocol::act::Open& order) {
    const SocketConnection::Limits limits{setup_.max_message_bytes, setup_.max_buffered_bytes};
    if (order.target.transport == Transport::websocket) {
        return std::make_unique<ClientConnection>(loop_, *this, order.conn, limits);
    }
    return std::make_unique<LongPollConnection>(loop_, *this, order.conn, limits,
                                                setup_.transport.long_poll_timeout);
}

void Driver::open(const protocol::act::Open& order) {
    log(order);
    core_->counters.connects.add();
    dialled_ = order.conn;
    choice_.handle_dialled(loop_.now(), order.target.transport);
    connections_.push_back(make_connection(order));
    ConnectionTarget target;
    target.url = *protocol::parse_url(order.target.url); // target() made it
    target.subprotocols = order.target.subprotocols;
    target.headers = setup_.headers;
    target.tls = setup_.tls;
    target.network = setup_.network;
    target.deadline = protocol::after(loop_.now(), in_core(setup_.connect_timeout));
    connections_.back()->open(std::move(target));
}

void Driver::follow(const protocol::event::SocketChanged& news) {
    using protocol::SocketState;
    const bool has_failed = news.to == SocketState::idle && news.from == SocketState::connecting && news.why;
    if (news.to == SocketState::open) {
        if (choice_.handle_open(loop_.now())) questions_.emplace_back(ProveConnection{});
    } else if (news.to == SocketState::waiting || has_failed) {
        const bool may_dial = choice_.handle_lost(loop_.now());
        if (may_dial && news.why && !news.why->retry_after) questions_.emplace_back(SkipWait{});
    } else if (news.to != SocketState::connecting) {
        choice_.handle_stopped();
    }
}

void Driver::answer(const SkipWait&) { machine_.skip_wait(loop_.now()); }

/// phoenix.js socket.js connectWithFallback: a ping.
void Driver::answer(const ProveConnection&) {
    core_->counters.pushes.add();
    (void)machine_.ping(loop_.now());
}

void Driver::fall_back() {
    const bool is_due = choice_.handle_timeout(loop_.now());
    fallback_timer_.arm(choice_.next_timeout());
    SocketConnection* const connection = find(dialled_);
    if (!is_due || !connection) return;
    connection->fail(phx::fail(Errc::timeout,
                               "the WebSocket brought nothing within TransportOptions::long_poll_fallback; "
                               "long poll takes its place",
                               Origin::transport)
                         .error);
}

} // namespace phx::shell
