#include "tests/sim/server_node.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace phx::sim {

using namespace protocol::server;
using protocol::Opcode;

ServerNode::ServerNode(VirtualClock& clock, VirtualNetwork& network, ServerConfig config, Framing framing,
                       Application& application)
    : clock_(clock), network_(network), config_(std::move(config)), framing_(framing),
      application_(application), host_(network.add_host(*this)), timer_(clock, [this] { handle_timeout(); }) {
    start();
}

void ServerNode::start() {
    if (is_up()) return;
    is_draining_ = false;
    config_.seed += 1; // another process draws another one
    machine_ = std::make_unique<ServerMachine>(config_);
    application_.set_up(*machine_);
}

void ServerNode::crash(VirtualNetwork::Heard heard) {
    for (const auto& [link, connection] : connections_) {
        network_.cut(link, heard);
        network_.close(link, Side::server);
    }
    connections_.clear();
    sessions_.clear();
    timer_.arm({});
    machine_.reset();
}

void ServerNode::drain() {
    is_draining_ = true;
    machine_->close_all(clock_.now());
    pump();
}

// ---- orders

void ServerNode::pump() {
    do {
        while (const auto output = machine_->poll()) {
            application_.handle_output(*this, *output);
            carry_out(*output);
        }
    } while (machine_->handle_turn_end());
    const bool spins = most_timeouts_ >= timeouts_that_spin;
    timer_.arm(spins ? std::nullopt : machine_->next_timeout());
}

void ServerNode::carry_out(const Output& output) {
    if (const auto* send = std::get_if<act::Send>(&output)) {
        if (VirtualSocket* to = socket(send->session)) to->send(send->opcode, send->data);
    } else if (const auto* fanout = std::get_if<act::Fanout>(&output)) {
        for (const SessionId session : fanout->sessions)
            if (VirtualSocket* to = socket(session)) to->send(fanout->opcode, fanout->data);
    } else if (const auto* close = std::get_if<act::Close>(&output)) {
        if (VirtualSocket* to = socket(close->session)) to->close(close->code, close->reason);
    } else if (const auto* idle = std::get_if<act::CloseIfIdle>(&output)) {
        if (VirtualSocket* to = socket(idle->session)) to->close(idle->code, "idle");
    } else {
        ask(output);
    }
}

void ServerNode::ask(const Output& output) {
    if (const auto* join = std::get_if<event::JoinAsked>(&output)) {
        auto answer = application_.join(*machine_->member(join->member));
        if (!answer) return machine_->crash(clock_.now(), join->member);
        machine_->answer_join(clock_.now(), join->member, *std::move(answer));
    } else if (const auto* in = std::get_if<event::MessageIn>(&output)) {
        const Member member = *machine_->member(in->member);
        const LinkId from = sessions_.at(member.session);
        settle(in->member, in->reply_to, application_.message(*in, member, from));
    } else if (const auto* out = std::get_if<event::MessageOut>(&output)) {
        settle(out->member, {}, application_.message_out(*out));
    } else if (const auto* info = std::get_if<event::InfoDue>(&output)) {
        settle(info->member, {}, application_.info(*info, *machine_->member(info->member)));
    }
}

void ServerNode::settle(MemberId member, phx::server::ReplyTo to, Application::Answer answer) {
    if (answer) return machine_->apply(clock_.now(), member, to, *std::move(answer));
    machine_->crash(clock_.now(), member);
}

VirtualSocket* ServerNode::socket(SessionId session) {
    const auto at = sessions_.find(session);
    return at == sessions_.end() ? nullptr : &connections_.at(at->second)->socket;
}

// ---- reports

std::optional<Refusal> ServerNode::accept(LinkId link, const std::string& request) {
    if (!is_up()) return Refusal{};
    if (is_draining_) return Refusal{503, std::nullopt};
    if (auto refusal = application_.admit(request)) return refusal;
    const SessionId session = machine_->handle_open(clock_.now(), application_.session(request));
    connections_[link].reset(
        new Connection{session, VirtualSocket(clock_, network_, link, Side::server, framing_, *this)});
    sessions_[session] = link;
    pump();
    return std::nullopt;
}

void ServerNode::handle_packet(LinkId link, Packet& packet) {
    connections_.at(link)->socket.handle_packet(packet);
}

void ServerNode::handle_ended(LinkId link, LinkEnd) {
    const auto at = connections_.find(link);
    if (at != connections_.end()) at->second->socket.handle_ended();
}

void ServerNode::socket_message(LinkId link, Opcode opcode, std::string_view frame) {
    machine_->handle_frame(clock_.now(), connections_.at(link)->session, opcode, frame);
    pump();
}

void ServerNode::socket_closed(LinkId link, std::uint16_t, std::string) {
    const SessionId session = connections_.at(link)->session;
    sessions_.erase(session);
    connections_.erase(link);
    machine_->handle_closed(clock_.now(), session);
    pump();
}

void ServerNode::handle_timeout() {
    const TimePoint now = clock_.now();
    timeouts_ = std::exchange(last_timeout_, now) == now ? timeouts_ + 1 : 1;
    most_timeouts_ = std::max(most_timeouts_, timeouts_);
    machine_->handle_timeout(now);
    pump();
}

} // namespace phx::sim
