#include "src/server/shard.hpp"

#include <string>

// What the user is told: errors, lines of the log.
namespace phx::shell {

using namespace protocol::server;
using phx::server::Limit;

void Shard::on(const event::FrameDropped& dropped) {
    if (dropped.error.origin == Origin::peer) // the counter is of malformed frames
        counters_->frames_dropped.add();
    report(find(dropped.session), dropped.error);
}

void Shard::report_broken_frame(const Connection& connection, const protocol::WebSocketEvent& event) {
    counters_->frames_dropped.add();
    if (event.code == protocol::close_code::message_too_big) count_hit(Limit::max_message_bytes);
    report(&connection, protocol::websocket_error(event.code, event.payload));
}

void Shard::report_tls_failure(const Connection& connection, std::string_view reason) {
    report(fail(Errc::tls_failed,
                "TLS with " + connection.peer() + " failed: " +
                    (reason.empty() ? std::string("the client closed the connection") : std::string(reason)),
                Origin::peer)
               .error);
}

void Shard::count_refusal(Crowded crowded) {
    const bool is_address = crowded == Crowded::address;
    count_hit(is_address ? Limit::max_connections_per_address : Limit::max_connections);
    Counter& refused = is_address ? counters_->refused_for_address : counters_->refused_for_server;
    refused.add();
}

void Shard::count_timeout(DeadlineKind kind) noexcept {
    counters_->timed_out.add();
    switch (kind) {
    case DeadlineKind::request: return count_hit(Limit::request_timeout);
    case DeadlineKind::write: return count_hit(Limit::write_timeout);
    case DeadlineKind::close: return count_hit(Limit::close_timeout);
    case DeadlineKind::poll:
    case DeadlineKind::count_: return;
    }
}

void Shard::publish_limit_hits() noexcept {
    const auto hits = machine_.take_limit_hits();
    if (!hits) return;
    for (std::size_t i = 0; i < hits->size(); ++i) counters_->limit_hits[i].add((*hits)[i]);
}

void Shard::report_refusal(Crowded crowded, const std::string& peer) {
    count_refusal(crowded);
    const std::string limit = crowded == Crowded::address ? "max_connections_per_address" : "max_connections";
    report(nullptr, fail(Errc::buffer_full,
                         "a connect from " + peer + " is refused: as many are connected as " + limit +
                             " allows; see Options::" + limit,
                         Origin::peer)
                        .error);
}

void Shard::count_slow_consumer(const Transport& transport, std::size_t pending_bytes) {
    counters_->slow_consumers.add();
    count_hit(Limit::max_pending_bytes);
    report(&transport, fail(Errc::buffer_full,
                            "connection " + transport.record()->id + " of " + transport.record()->peer +
                                " reads too slowly: " + std::to_string(pending_bytes) +
                                " bytes wait for it, it is closed with 1013; see Options::max_pending_bytes",
                            Origin::peer)
                           .error);
}

void Shard::report(const Transport* transport, const Error& error) noexcept {
    if (!options_.on_connection_error) return report(error);
    log(LogLevel::warning, error.message);
    try {
        options_.on_connection_error(transport ? transport->record().get() : nullptr, error);
    } catch (...) { // there is nobody left to tell
    }
}

void Shard::report_bad_post(const Transport& transport, std::string_view what) {
    counters_->frames_dropped.add();
    report(&transport, fail(Errc::malformed_frame,
                            "connection " + transport.record()->id + " of " + transport.record()->peer +
                                " posted " + std::string(what) + "; its session is over",
                            Origin::peer)
                           .error);
}

void Shard::report_unpollable(const Transport& transport) {
    report(fail(Errc::unknown_kind, "a binary message for connection " + transport.record()->id +
                                        ", which polls, is lost: long poll carries text")
               .error);
}

void Shard::report(const Error& error) noexcept {
    if (error.code == Errc::handler_failed) counters_->handler_failures.add();
    log(LogLevel::warning, error.message);
    if (!options_.on_error) return;
    try {
        options_.on_error(error);
    } catch (...) { // there is nobody left to tell
    }
}

void Shard::tell_connection(const Transport& transport, phx::server::ConnectionChange change) noexcept {
    const phx::server::Connection& record = *transport.record();
    if (options_.on_log)
        log(LogLevel::info, "connection " + record.id + " of " + record.peer +
                                (change == phx::server::ConnectionChange::opened ? " opened" : " ended"));
    if (!options_.on_connection) return;
    try {
        options_.on_connection(record, change);
    } catch (...) { // there is nobody left to tell
    }
}

void Shard::log(LogLevel level, const std::string& line) noexcept {
    if (!options_.on_log) return;
    try {
        options_.on_log(level, line);
    } catch (...) { // there is nobody left to tell
    }
}

} // namespace phx::shell
