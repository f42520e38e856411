#include "src/testing/system.hpp"

#include <string>
#include <utility>

namespace phx::testing {

using sim::LinkId;
using sim::Side;

System::System(std::uint64_t seed, Conditions conditions)
    : chance_(seed), network_(clock_, chance_.next()), log_(clock_), host_(network_.add_host(*this)),
      conditions_(conditions) {
    network_.weather = [this] { return quality(); };
}

void System::fill_random(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(chance_.next());
}

sim::LinkQuality System::quality() {
    sim::LinkQuality quality;
    quality.latency = conditions_.latency;
    quality.jitter = conditions_.jitter;
    // Half of the connections cut what they carry into pieces, as networks do.
    if (chance_.one_in(2)) quality.max_chunk = 100 + chance_.below(1400);
    return quality;
}

void System::set(Conditions conditions) {
    conditions_ = conditions;
    network_.improve(quality());
}

void System::cut_all(sim::VirtualNetwork::Heard heard) {
    for (const LinkId id : network_.links()) {
        if (served_.contains(id)) log_.note(id, "broken");
        network_.cut(id, heard);
    }
}

std::unique_ptr<shell::VirtualStream> System::dial() { return std::make_unique<Stream>(*this); }

// ---- as the host of all servers

std::optional<sim::Refusal> System::accept(LinkId id, const std::string&) {
    if (!listener_.listens || !listener_.listens()) return sim::Refusal{};
    log_.note_open(id);
    if (conditions_.lifetime > Millis(0)) {
        clock_.after(chance_.between(sim::Duration{0}, 2 * conditions_.lifetime),
                     [this, id] { network_.cut(id); });
    }
    auto stream = std::make_unique<Stream>(*this, id);
    served_.emplace(id, stream.get());
    listener_.accept(std::move(stream));
    return std::nullopt;
}

void System::handle_packet(LinkId id, sim::Packet& packet) {
    const auto found = served_.find(id);
    if (found == served_.end()) return;
    log_.note_bytes(id, Side::client, packet.bytes);
    found->second->handle_packet(id, packet);
}

void System::handle_ended(LinkId id, sim::LinkEnd how) {
    const auto found = served_.find(id);
    if (found != served_.end()) found->second->handle_ended(id, how);
}

// ---- Stream

Stream::Stream(System& system)
    : system_(system), side_(Side::client), link_(system.network().dial(*this, system.host(), {})),
      is_open_(false) {}

Stream::Stream(System& system, LinkId link)
    : system_(system), side_(Side::server), link_(link), is_open_(true) {}

Stream::~Stream() {
    if (side_ == Side::server) {
        system_.forget(link_);
        system_.log().note_end(link_, is_held_ ? "ended by the server" : "ended");
    }
    if (is_held_) system_.network().close(link_, side_);
}

void Stream::write(std::string_view bytes) {
    if (!is_held_ || bytes.empty()) return;
    if (side_ == Side::server) system_.log().note_bytes(link_, Side::server, bytes);
    system_.network().send(link_, side_, {sim::Packet::Kind::bytes, 0, std::string(bytes)});
}

void Stream::handle_open(LinkId) {
    is_open_ = true;
    const auto user = user_;
    user->connected(true);
}

void Stream::handle_refused(LinkId, const sim::Refusal&) {
    is_held_ = false;
    const auto user = user_;
    user->connected(false);
}

void Stream::handle_packet(LinkId, sim::Packet& packet) {
    const auto user = user_;
    user->received(packet.bytes);
}

void Stream::handle_ended(LinkId, sim::LinkEnd) {
    is_held_ = false;
    const auto user = user_;
    if (!is_open_) return user->connected(false);
    user->ended();
}

} // namespace phx::testing
