#include "src/testing/virtual_network.hpp"

#include <algorithm>
#include <utility>

namespace phx::sim {
namespace {

constexpr std::size_t index(Side side) noexcept { return static_cast<std::size_t>(side); }

std::uint64_t mix(std::uint64_t digest, std::uint64_t value) noexcept {
    return (digest ^ value) * 0x100000001b3u; // FNV-1a, a word at a time
}

} // namespace

HostId VirtualNetwork::add_host(Host& host) {
    hosts_.push_back(&host);
    return HostId{static_cast<std::uint32_t>(hosts_.size() - 1)};
}

VirtualNetwork::Link* VirtualNetwork::find(LinkId id) {
    const auto at = links_.find(id);
    return at == links_.end() ? nullptr : &at->second;
}

std::vector<LinkId> VirtualNetwork::links() const {
    std::vector<LinkId> ids;
    for (const auto& [id, link] : links_) ids.push_back(id);
    return ids;
}

// ---- opening

LinkId VirtualNetwork::dial(LinkUser& client, HostId host, std::string request) {
    const LinkId id{++last_link_};
    ++totals_.links;
    Link& link = links_[id];
    link.quality = weather();
    link.users = {&client, nullptr};
    const Duration wait = link.quality.latency + link.quality.handshake;
    if (!link.quality.hangs) {
        clock_.after(wait, [this, id, host, asked = std::move(request)] { arrive_at_host(id, host, asked); });
    }
    return id;
}

void VirtualNetwork::arrive_at_host(LinkId id, HostId host, const std::string& request) {
    Link* link = find(id);
    if (link == nullptr || link->lanes[index(Side::client)].loses) return;
    Host& user = *hosts_[static_cast<std::size_t>(host)];
    link->users[index(Side::server)] = &user;
    const auto refusal = user.accept(id, request);
    if (refusal) link->users[index(Side::server)] = nullptr;
    const TimePoint at = protocol::after(clock_.now(), link->quality.latency);
    link->lanes[index(Side::server)].last_arrival = at;
    clock_.at(at, [this, id, refusal] { answer(id, refusal); });
}

void VirtualNetwork::answer(LinkId id, const std::optional<Refusal>& refusal) {
    Link* link = find(id);
    if (link == nullptr || link->lanes[index(Side::server)].loses) return;
    LinkUser* client = link->users[index(Side::client)];
    if (client == nullptr) return;
    link->is_answered = true;
    if (!refusal) return client->handle_open(id);
    release(id, Side::client);
    client->handle_refused(id, *refusal);
}

// ---- carrying

void VirtualNetwork::send(LinkId id, Side from, Packet packet) {
    Link* link = find(id);
    if (link == nullptr || link->lanes[index(from)].loses) return;
    const std::size_t chunk = link->quality.max_chunk;
    if (packet.kind != Packet::Kind::bytes || chunk == 0) {
        return queue(id, *link, from, {{}, std::move(packet)});
    }
    for (std::size_t at = 0; at < packet.bytes.size();) {
        const std::size_t size = std::min(1 + chance_.below(chunk), packet.bytes.size() - at);
        queue(id, *link, from, {{}, {packet.kind, 0, packet.bytes.substr(at, size)}});
        at += size;
    }
}

void VirtualNetwork::queue(LinkId id, Link& link, Side from, Arrival arrival) {
    Lane& lane = link.lanes[index(from)];
    const LinkQuality& quality = link.quality;
    lane.free_at = std::max(lane.free_at, clock_.now());
    if (quality.bytes_per_second != 0) {
        lane.free_at += Duration{
            static_cast<Duration::rep>(arrival.packet.bytes.size() * 1'000'000 / quality.bytes_per_second)};
    }
    const Duration travel = quality.latency + chance_.between(Duration{0}, quality.jitter);
    lane.last_arrival = std::max(lane.last_arrival, lane.free_at + travel);
    arrival.at = lane.last_arrival;
    lane.arrivals.push_back(std::move(arrival));
    if (lane.arrivals.size() == 1) {
        clock_.at(lane.last_arrival, [this, id, from] { deliver(id, from); });
    }
}

/// What is due of one direction; there is one task for it while anything is on its way.
void VirtualNetwork::deliver(LinkId id, Side from) {
    for (;;) {
        Link* link = find(id);
        if (link == nullptr) return;
        Lane& lane = link->lanes[index(from)];
        if (lane.arrivals.empty()) return;
        if (lane.arrivals.front().at > clock_.now()) {
            return clock_.at(lane.arrivals.front().at, [this, id, from] { deliver(id, from); });
        }
        Arrival arrival = std::move(lane.arrivals.front());
        lane.arrivals.pop_front();
        LinkUser* receiver = link->users[index(other(from))];
        if (receiver == nullptr || lane.loses) continue;
        if (arrival.end) {
            end(id, other(from), *arrival.end);
        } else if (pass(id, *link, from, arrival.packet)) {
            count(id, from, arrival.packet);
            receiver->handle_packet(id, arrival.packet);
        }
    }
}

/// Counts down to a cut; false if nothing of the packet arrives.
bool VirtualNetwork::pass(LinkId id, Link& link, Side from, Packet& packet) {
    auto& left = link.lanes[index(from)].units_left;
    if (!left) return true;
    const std::size_t units = packet.kind == Packet::Kind::bytes ? packet.bytes.size() : 1;
    if (units <= *left) {
        *left -= units;
        return true;
    }
    packet.bytes.resize(std::min(*left, packet.bytes.size()));
    cut(id);
    return packet.kind == Packet::Kind::bytes && !packet.bytes.empty();
}

void VirtualNetwork::count(LinkId id, Side from, const Packet& packet) {
    ++totals_.packets;
    std::uint64_t digest = totals_.digest;
    digest = mix(digest, static_cast<std::uint64_t>(clock_.now().time_since_epoch().count()));
    digest = mix(digest, static_cast<std::uint64_t>(id) * 8 + static_cast<std::uint64_t>(packet.kind) * 2 +
                             index(from));
    for (const char c : packet.bytes) digest = mix(digest, static_cast<unsigned char>(c));
    totals_.digest = digest;
}

// ---- ending

void VirtualNetwork::release(LinkId id, Side side) {
    Link* link = find(id);
    if (link == nullptr) return;
    link->users[index(side)] = nullptr;
    if (link->users[index(other(side))] == nullptr) links_.erase(id);
}

void VirtualNetwork::end(LinkId id, Side side, LinkEnd how) {
    Link* link = find(id);
    LinkUser* user = link == nullptr ? nullptr : link->users[index(side)];
    if (user == nullptr) return;
    release(id, side);
    user->handle_ended(id, how);
}

void VirtualNetwork::end_later(LinkId id, Side side) {
    clock_.at(clock_.now(), [this, id, side] { end(id, side, LinkEnd::broken); });
}

void VirtualNetwork::close(LinkId id, Side from) {
    Link* link = find(id);
    if (link == nullptr) return;
    if (!link->lanes[index(from)].loses) queue(id, *link, from, {{}, {}, LinkEnd::closed});
    release(id, from);
}

void VirtualNetwork::abort(LinkId id, Side from) {
    Link* link = find(id);
    if (link == nullptr) return;
    Lane& lane = link->lanes[index(from)];
    if (!lane.loses && link->users[index(other(from))] != nullptr) {
        lane.arrivals.clear();
        lane.last_arrival = protocol::after(clock_.now(), link->quality.latency);
        lane.arrivals.push_back({lane.last_arrival, {}, LinkEnd::broken});
        clock_.at(lane.last_arrival, [this, id, from] { deliver(id, from); });
    }
    release(id, from);
}

void VirtualNetwork::cut(LinkId id, Heard heard) {
    Link* link = find(id);
    if (link == nullptr) return;
    ++totals_.cuts;
    for (Lane& lane : link->lanes) {
        lane.loses = true;
        lane.arrivals.clear();
    }
    if (heard == Heard::by_both || heard == Heard::by_client) end_later(id, Side::client);
    if (heard == Heard::by_both || heard == Heard::by_server) end_later(id, Side::server);
}

void VirtualNetwork::cut_after(LinkId id, Side receiver, std::size_t units) {
    if (Link* link = find(id)) link->lanes[index(other(receiver))].units_left = units;
}

void VirtualNetwork::lose(LinkId id, Side from) {
    if (Link* link = find(id)) link->lanes[index(from)].loses = true;
}

void VirtualNetwork::stall(LinkId id, TimePoint until) {
    Link* link = find(id);
    if (link == nullptr) return;
    for (Lane& lane : link->lanes) {
        lane.last_arrival = std::max(lane.last_arrival, until);
        for (Arrival& arrival : lane.arrivals) arrival.at = std::max(arrival.at, until);
    }
}

void VirtualNetwork::improve(const LinkQuality& quality) {
    for (auto& [id, link] : links_) {
        const std::size_t chunk = link.quality.max_chunk;
        const bool hangs = link.quality.hangs;
        link.quality = quality;
        link.quality.max_chunk = chunk;
        link.quality.hangs = hangs;
        for (Lane& lane : link.lanes) lane.units_left.reset();
    }
}

} // namespace phx::sim
