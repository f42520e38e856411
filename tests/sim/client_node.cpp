#include "tests/sim/client_node.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace phx::sim {

using namespace protocol;

namespace {

/// As src/lws/client_tunnel.cpp reports them.
CloseInfo refused(const Refusal& refusal) {
    const bool is_auth = refusal.http_status == 401 || refusal.http_status == 403;
    const Errc code = refusal.http_status == 0 ? Errc::connect_failed
                      : is_auth                ? Errc::bad_auth
                                               : Errc::upgrade_refused;
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = refusal.http_status;
    CloseInfo info;
    info.error = fail(code, "refused", Origin::peer).error;
    info.error->detail = std::move(detail);
    info.retry_after = refusal.retry_after;
    return info;
}

} // namespace

ClientNode::ClientNode(VirtualClock& clock, VirtualNetwork& network, ClientConfig config, Framing framing,
                       HostId host, Observer& observer)
    : clock_(clock), network_(network), observer_(observer), machine_(std::move(config)),
      timer_(clock, [this] { handle_timeout(); }), framing_(framing), host_(host) {}

std::size_t ClientNode::pump() {
    std::size_t outputs = 0;
    while (const auto output = machine_.poll()) {
        ++outputs;
        observer_.handle_output(*output);
        carry_out(*output);
    }
    most_outputs_ = std::max(most_outputs_, outputs);
    observer_.handle_rest();
    const auto next = machine_.next_timeout();
    const bool spins = most_timeouts_ >= timeouts_that_spin;
    timer_.arm(next && !spins ? std::optional(std::max(*next - skew_, clock_.now())) : std::nullopt);
    return outputs;
}

void ClientNode::suspend(Duration duration, VirtualNetwork::Heard heard) {
    for (const auto& [link, connection] : connections_) network_.cut(link, heard);
    skew_ += duration;
    pump();
}

void ClientNode::handle_timeout() {
    timeouts_ = std::exchange(last_timeout_, now()) == now() ? timeouts_ + 1 : 1;
    most_timeouts_ = std::max(most_timeouts_, timeouts_);
    machine_.handle_timeout(now());
    pump();
}

// ---- orders

void ClientNode::carry_out(const Output& output) {
    if (const auto* open = std::get_if<act::Open>(&output)) {
        newest_ = open->conn;
        dialled_ = host_;
        connections_[network_.dial(*this, host_, open->target.url)].conn = open->conn;
    } else if (const auto* send = std::get_if<act::Send>(&output)) {
        Connection* connection = find(send->conn);
        if (connection != nullptr && connection->socket) connection->socket->send(send->opcode, send->data);
    } else if (const auto* order = std::get_if<act::Close>(&output)) {
        close(*order);
    }
}

void ClientNode::close(const act::Close& order) {
    Connection* connection = find(order.conn);
    if (connection == nullptr) return;
    if (connection->socket) return connection->socket->close(order.code, order.reason);
    const auto at = std::find_if(connections_.begin(), connections_.end(),
                                 [&](const auto& c) { return c.second.conn == order.conn; });
    network_.abort(at->first, Side::client);
    // handle_closed() is a report: it comes when the machine is at rest.
    clock_.at(clock_.now(), [this, link = at->first] { report_closed(link, {}); });
}

ClientNode::Connection* ClientNode::find(ConnId conn) {
    for (auto& [link, connection] : connections_)
        if (connection.conn == conn) return &connection;
    return nullptr;
}

// ---- reports

void ClientNode::handle_open(LinkId link) {
    Connection& connection = connections_.at(link);
    VirtualSocket::Listener& listener = *this;
    connection.socket.emplace(clock_, network_, link, Side::client, framing_, listener);
    link_ = link;
    machine_.handle_open(now(), connection.conn);
    pump();
}

void ClientNode::handle_refused(LinkId link, const Refusal& refusal) {
    report_closed(link, refused(refusal));
}

void ClientNode::handle_packet(LinkId link, Packet& packet) {
    connections_.at(link).socket->handle_packet(packet);
}

void ClientNode::handle_ended(LinkId link, LinkEnd) {
    Connection& connection = connections_.at(link);
    if (connection.socket) return connection.socket->handle_ended();
    report_closed(link, refused({}));
}

void ClientNode::socket_message(LinkId link, Opcode opcode, std::string_view frame) {
    const ConnId conn = connections_.at(link).conn;
    const ConnId newest = newest_;
    observer_.handle_received(conn, opcode, frame);
    machine_.handle_frame(now(), conn, opcode, frame);
    const std::size_t outputs = pump();
    if (conn < newest) old_outputs_ += outputs;
}

void ClientNode::socket_closed(LinkId link, std::uint16_t code, std::string reason) {
    CloseInfo info;
    info.code = code;
    info.reason = std::move(reason);
    report_closed(link, std::move(info));
}

void ClientNode::report_closed(LinkId link, CloseInfo info) {
    const auto at = connections_.find(link);
    if (at == connections_.end()) return;
    const ConnId conn = at->second.conn;
    connections_.erase(at);
    const ConnId newest = newest_;
    machine_.handle_closed(now(), conn, std::move(info));
    const std::size_t outputs = pump();
    if (conn < newest) old_outputs_ += outputs;
}

} // namespace phx::sim
