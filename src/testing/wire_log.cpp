#include "src/testing/wire_log.hpp"

#include "phx/protocol/codec.hpp"

#include <algorithm>
#include <limits>

namespace phx::testing {
namespace {

using protocol::Direction;
using protocol::WebSocketEvent;
using protocol::WebSocketRole;
using sim::Side;

constexpr std::string_view end_of_head = "\r\n\r\n";

/// "12.000345": seconds.
std::string seconds(Micros time) {
    constexpr std::size_t digits = 6;
    const std::string text = std::to_string(time.count());
    std::string padded = std::string(digits + 1 - std::min(digits + 1, text.size()), '0') + text;
    return padded.insert(padded.size() - digits, 1, '.');
}

} // namespace

Frame frame_of(const protocol::FrameView& view) {
    Frame frame;
    if (view.join_ref) frame.join_ref = view.join_ref->text;
    if (view.ref) frame.ref = view.ref->text;
    frame.topic = view.topic;
    frame.event = view.event;
    frame.status = view.status.value_or("");
    frame.kind = view.kind;
    frame.payload = view.payload;
    return frame;
}

void WireLog::note_open(sim::LinkId id) {
    connections_[id].number = ++accepted_;
    note(id, "connected");
}

void WireLog::note_end(sim::LinkId id, std::string_view how) {
    if (connections_.contains(id)) note(id, how);
    connections_.erase(id);
}

void WireLog::note(sim::LinkId id, std::string_view what) {
    trace_ += seconds(clock_.now().time_since_epoch()) + " #" + std::to_string(connections_[id].number) + ' ';
    trace_.append(what);
    trace_ += '\n';
}

std::size_t WireLog::websockets() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(),
                      [](const auto& entry) { return entry.second.is_websocket; }));
}

void WireLog::note_bytes(sim::LinkId id, Side from, std::string_view bytes) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    Lane& lane = connection.lanes[static_cast<std::size_t>(from)];
    std::string copy = lane.parser ? std::string(bytes) : take_head(id, connection, from, bytes);
    if (!lane.parser || copy.empty()) return;
    lane.parser->feed(copy);
    while (const auto event = lane.parser->next()) take_event(id, connection, from, *event);
}

std::string WireLog::take_head(sim::LinkId id, Connection& connection, Side from, std::string_view bytes) {
    Lane& lane = connection.lanes[static_cast<std::size_t>(from)];
    lane.head.append(bytes);
    const std::size_t end = lane.head.find(end_of_head);
    if (end == std::string::npos) return {};
    const std::string_view first_line = std::string_view(lane.head).substr(0, lane.head.find("\r\n"));
    std::string rest = lane.head.substr(end + end_of_head.size());
    const bool is_request = from == Side::client;
    if (is_request) {
        connection.vsn = first_line.find("vsn=2") != first_line.npos ? protocol::Vsn::v2 : protocol::Vsn::v1;
    } else {
        note(id, "< " + std::string(first_line));
        connection.is_websocket = first_line.find(" 101 ") != first_line.npos;
    }
    if (is_request || connection.is_websocket) {
        lane.parser.emplace(is_request ? WebSocketRole::server : WebSocketRole::client,
                            std::numeric_limits<std::size_t>::max() / 4);
    }
    lane.head.clear();
    return rest;
}

void WireLog::take_event(sim::LinkId id, Connection& connection, Side from, const WebSocketEvent& event) {
    using Kind = WebSocketEvent::Kind;
    if (event.kind == Kind::text || event.kind == Kind::binary)
        return take_frame(id, connection, from, event);
    const std::string arrow = from == Side::client ? "> " : "< ";
    if (event.kind != Kind::close) return;
    note(id, arrow + "close " + std::to_string(event.code) + ' ' + std::string(event.payload));
    connection.is_websocket = false;
}

void WireLog::take_frame(sim::LinkId id, Connection& connection, Side from, const WebSocketEvent& event) {
    const Direction direction = from == Side::client ? Direction::to_server : Direction::to_client;
    const auto opcode =
        event.kind == WebSocketEvent::Kind::text ? protocol::Opcode::text : protocol::Opcode::binary;
    const std::string arrow = from == Side::client ? "> " : "< ";
    const auto view = protocol::decode(connection.vsn, direction, opcode, event.payload, scratch_);
    if (!view) return note(id, arrow + "no frame: " + view.error().message);
    Frame frame = frame_of(*view);
    frame.at = clock_.now().time_since_epoch();
    frame.direction = direction;
    frame.connection = connection.number;
    std::string line = arrow + frame.join_ref + ' ' + frame.ref + ' ' + frame.topic + ' ' + frame.event;
    if (!frame.status.empty()) line += ' ' + frame.status;
    const bool is_binary = frame.kind == protocol::Opcode::binary;
    note(id, line + ' ' + (is_binary ? std::to_string(frame.payload.size()) + " bytes" : frame.payload));
    frames_.push_back(std::move(frame));
}

} // namespace phx::testing
