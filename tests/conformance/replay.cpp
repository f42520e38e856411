#include "tests/conformance/replay.hpp"

#include "tests/conformance/compare.hpp"
#include "tests/conformance/raw_connection.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>
#include <thread>

namespace phx::conformance {

using nlohmann::json;
using protocol::FrameOpcode;
using std::chrono::steady_clock;

namespace {

/// Recordings about idleness: the pauses between their lines matter.
constexpr std::string_view paced_scenarios = "_idle_timeout";
/// Of /limited, and how early or late a close may come. Traffic to the client (0.7 s and 1.4 s after its last
/// frame in the recording) would delay it to 3.4 s.
constexpr std::chrono::milliseconds idle_timeout{2000}, idle_early{50}, idle_late{1200};

/// A recorded connection, played again.
struct Peer {
    enum class End : std::uint8_t { open, by_client, by_server };

    std::unique_ptr<RawConnection> raw = {};
    bool v2 = false;
    End end = End::open;
    bool in_fragments = false;
    std::deque<json> answers = {}; ///< to HTTP requests
    steady_clock::time_point last_sent = {};
    int slow_ms = 0; ///< the longest delayed answer asked for
};

class Replay {
public:
    Replay(const Scenario& scenario, const Table& table, std::uint16_t port)
        : scenario_(scenario), table_(table), port_(port) {}

    std::string run() try {
        for (const Step& step : scenario_.steps) play(step);
        settle();
        return "";
    } catch (const std::exception& error) {
        return std::string(error.what()) + "\ntranscript:\n" + transcript_;
    }

private:
    void play(const Step& step);
    void play_client(const Step& step);
    void play_server(const Step& step);
    void connect(const Step& step);
    void request(const Step& step);
    void send(Peer& peer, const Step& step);
    void expect(Peer& peer, const Step& step, const json& event);
    json next_event(Peer& peer);
    json closed(Peer& peer, const Received& close);
    void check_idle_close(const Peer& peer, const Step& step, const json& event) const;
    void pause_until(double at_ms) const;
    void flush(const std::string& name, Peer& peer);
    void wait_out_slow_answers(const std::string& name, Peer& peer);
    void settle();
    void note(std::string_view who, std::string_view arrow, const json& what);

    bool is_paced() const { return scenario_.name.find(paced_scenarios) != std::string::npos; }

    const Scenario& scenario_;
    const Table& table_;
    std::uint16_t port_;
    std::map<std::string, Peer> peers_{};
    EventComparer comparer_{};
    steady_clock::time_point start_ = steady_clock::now();
    std::string transcript_{};
    int flushes_ = 0;
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

std::string target_of(const std::string& url) {
    const std::size_t host = url.find("://") + 3;
    return url.substr(url.find('/', host));
}

json event_of(const Received& received) {
    switch (received.kind) {
    case Received::Kind::text: {
        json value = json::parse(received.payload, nullptr, false);
        return value.is_discarded() ? json{{"no json", received.payload}} : json{{"text", std::move(value)}};
    }
    case Received::Kind::binary: return {{"binary", to_hex(received.payload)}};
    case Received::Kind::ping: return {{"ping", to_hex(received.payload)}};
    case Received::Kind::pong: return {{"pong", to_hex(received.payload)}};
    case Received::Kind::close: return {{"close", received.code}, {"reason", received.payload}};
    case Received::Kind::broken: return {{"broken frame", received.payload}};
    case Received::Kind::late: return {{"nothing", "no answer in time"}};
    case Received::Kind::ended: break;
    }
    return {{"close", 1006}, {"reason", ""}};
}

json event_of_upgrade(const test::HttpResponse& response) {
    if (response.status != 101) return {{"refused", response.status}, {"body", response.body}};
    json event = {{"upgrade", 101}};
    // The recorded server never chose one of these.
    for (const char* name : {"sec-websocket-extensions", "sec-websocket-protocol"}) {
        const std::string chosen = response.header(name);
        if (!chosen.empty()) event[name] = chosen;
    }
    return event;
}

void Replay::note(std::string_view who, std::string_view arrow, const json& what) {
    std::string text = what.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > 300) text = text.substr(0, 300) + "...";
    transcript_ += std::string(who) + " " + std::string(arrow) + " " + text + "\n";
}

void Replay::play(const Step& step) {
    if (step.sender == Sender::client) {
        play_client(step);
    } else if (step.sender == Sender::server) {
        play_server(step);
    } else if (step.kind == "client_error" ||
               (step.kind == "client_event" &&
                step.line.value("event", "").find("no subprotocol") != std::string::npos)) {
        // The recorded client gave up by itself: it had offered a subprotocol and got none.
        Peer& peer = peers_.at(step.connection);
        peer.raw->drop();
        peer.end = Peer::End::by_client;
    } else if (step.kind == "note" && step.line.value("text", "").starts_with("connection still open")) {
        Peer& peer = peers_.at(step.connection);
        if (peer.end == Peer::End::open) flush(step.connection, peer);
    }
}

void Replay::play_client(const Step& step) {
    if (step.kind == "connect") return connect(step);
    if (step.kind == "http_request") return request(step);
    Peer& peer = peers_.at(step.connection);
    if (peer.end != Peer::End::open) return; // our server has closed it, as the table says
    if (is_paced()) pause_until(step.at_ms);
    note(step.connection, "->", step.line.contains("data") ? step.line["data"] : json(step.kind));
    send(peer, step);
    peer.last_sent = steady_clock::now();
}

void Replay::connect(const Step& step) {
    Peer& peer = peers_[step.connection];
    const std::string target = target_of(step.line.at("url").get<std::string>());
    std::string protocols;
    for (const json& name : step.line.value("protocols", json::array())) {
        protocols += (protocols.empty() ? "" : ", ") + name.get<std::string>();
    }
    // The recording does not name what its client offered; any name that the server does not know will do.
    if (scenario_.name == "v2_ws_subprotocol") protocols = "unknown";
    note(step.connection, "->", step.line.at("url"));
    peer.raw = std::make_unique<RawConnection>(port_);
    peer.v2 = target.find("vsn=2") != std::string::npos;
    const test::HttpResponse response = peer.raw->upgrade(target, protocols);
    if (response.status != 101) peer.end = Peer::End::by_server;
    peer.answers.push_back(event_of_upgrade(response));
    peer.last_sent = steady_clock::now();
}

void Replay::request(const Step& step) {
    Peer& peer = peers_[step.connection];
    peer.raw = std::make_unique<RawConnection>(port_);
    HttpHeaders headers;
    for (const auto& [name, value] : step.line.at("headers").items()) {
        headers.emplace_back(name, value.get<std::string>());
    }
    // The recorder's client adds it when it is not told otherwise.
    if (!step.line["headers"].contains("connection")) headers.emplace_back("Connection", "close");
    note(step.connection, "->", step.line.at("path"));
    const test::HttpResponse response = peer.raw->request(step.line.at("method").get<std::string>(),
                                                          step.line.at("path").get<std::string>(), headers);
    peer.answers.push_back({{"response", response.status}, {"body", response.body}});
    peer.end = Peer::End::by_server;
}

void Replay::send(Peer& peer, const Step& step) {
    if (step.kind == "close") {
        std::optional<std::uint16_t> code;
        if (step.line.at("code").is_number()) code = step.line["code"].get<std::uint16_t>();
        peer.raw->send_close(code, step.line.value("reason", ""));
        peer.end = Peer::End::by_client;
        return;
    }
    const std::string payload = payload_of(step);
    if (step.kind == "fragment") {
        const bool is_last = step.line.at("fin").get<bool>();
        peer.raw->send_frame(peer.in_fragments ? FrameOpcode::continuation : FrameOpcode::text, payload,
                             is_last ? RawConnection::Fin::last : RawConnection::Fin::more);
        peer.in_fragments = !is_last;
        return;
    }
    const std::string opcode = step.line.at("opcode").get<std::string>();
    if (opcode == "ping") return peer.raw->send_frame(FrameOpcode::ping, payload);
    if (opcode == "binary") return peer.raw->send_frame(FrameOpcode::binary, payload);
    if (opcode != "text") fail("cannot send a " + opcode);
    const json value = json::parse(payload, nullptr, false);
    if (value.is_array() && value.size() == 5 && value[3] == "slow") peer.slow_ms = value[4].value("ms", 0);
    if (value.is_object() && value.value("event", json()) == "slow")
        peer.slow_ms = value["payload"].value("ms", 0);
    peer.raw->send_frame(FrameOpcode::text, payload);
}

void Replay::play_server(const Step& step) {
    Peer& peer = peers_.at(step.connection);
    // What a client's library reports after a refused upgrade, or after it has given up, is not of the
    // server.
    if (step.kind == "close" && step.line.at("code") == 1006 && peer.end != Peer::End::open) return;
    const Difference* difference = table_.find(scenario_.name, step.seq);
    const std::vector<json> events =
        difference ? difference->ours : std::vector<json>{conformance::event_of(step)};
    for (const json& event : events) expect(peer, step, event);
}

void Replay::expect(Peer& peer, const Step& step, const json& event) {
    const json got = next_event(peer);
    note(step.connection, "<-", got);
    const std::string found = comparer_.difference(event, got);
    if (!found.empty())
        fail("seq " + std::to_string(step.seq) + ", connection " + step.connection + ": " + found);
    if (is_paced()) check_idle_close(peer, step, got);
}

json Replay::next_event(Peer& peer) {
    if (!peer.answers.empty()) {
        json answer = std::move(peer.answers.front());
        peer.answers.pop_front();
        return answer;
    }
    if (peer.end == Peer::End::by_server) return {{"nothing", "the server has closed the connection before"}};
    const Received received = peer.raw->receive();
    if (received.kind == Received::Kind::close) return closed(peer, received);
    if (received.kind == Received::Kind::ended) peer.end = Peer::End::by_server;
    return event_of(received);
}

/// A close frame: answered, and then the server has to end the TCP connection.
json Replay::closed(Peer& peer, const Received& close) {
    if (peer.end == Peer::End::open) {
        peer.raw->send_close(close.code == 1005 ? std::nullopt : std::optional(close.code), "");
    }
    peer.end = Peer::End::by_server;
    const Received end = peer.raw->receive();
    if (end.kind != Received::Kind::ended) return {{"close", close.code}, {"then", event_of(end)}};
    return event_of(close);
}

void Replay::check_idle_close(const Peer& peer, const Step& step, const json& event) const {
    if (!event.contains("close")) return;
    const auto after =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - peer.last_sent);
    if (after >= idle_timeout - idle_early && after <= idle_timeout + idle_late) return;
    fail("seq " + std::to_string(step.seq) + ": closed " + std::to_string(after.count()) +
         " ms after the client's last frame, expected about " + std::to_string(idle_timeout.count()) + " ms");
}

/// The client's pauses are what these recordings are about.
void Replay::pause_until(double at_ms) const {
    std::this_thread::sleep_until(start_ +
                                  std::chrono::microseconds(static_cast<std::int64_t>(at_ms * 1000)));
}

/// Everything that the server had to say on the connection before has come when it answers this heartbeat.
void Replay::flush(const std::string& name, Peer& peer) {
    const std::string ref = "flush " + std::to_string(++flushes_);
    const json request =
        peer.v2
            ? json{nullptr, ref, "phoenix", "heartbeat", json::object()}
            : json{{"topic", "phoenix"}, {"event", "heartbeat"}, {"payload", json::object()}, {"ref", ref}};
    const json reply = {{"response", json::object()}, {"status", "ok"}};
    const json answer =
        peer.v2 ? json{nullptr, ref, "phoenix", "phx_reply", reply}
                : json{{"topic", "phoenix"}, {"event", "phx_reply"}, {"payload", reply}, {"ref", ref}};
    peer.raw->send_frame(FrameOpcode::text, request.dump());
    const json got = next_event(peer);
    if (got != json{{"text", answer}}) fail("connection " + name + ": more than was recorded: " + got.dump());
}

/// Delayed answers that must not come are out of the way when a later one has come: on a channel of its own.
void Replay::wait_out_slow_answers(const std::string& name, Peer& peer) {
    const auto push = [&](const char* event, const char* ref, const json& payload) {
        const json frame =
            peer.v2 ? json{"s0", ref, "room:settle", event, payload}
                    : json{{"topic", "room:settle"}, {"event", event}, {"payload", payload}, {"ref", ref}};
        peer.raw->send_frame(FrameOpcode::text, frame.dump());
        const json got = next_event(peer);
        const json value = got.value("text", json::object());
        const json got_ref = value.is_array() ? value[1] : value.value("ref", json());
        if (got_ref != ref) fail("connection " + name + ": more than was recorded: " + got.dump());
    };
    push("phx_join", "s0", json::object());
    push("slow", "s1", {{"ms", peer.slow_ms + 1}});
}

void Replay::settle() {
    for (auto& [name, peer] : peers_) {
        if (peer.end == Peer::End::open && peer.slow_ms > 0) wait_out_slow_answers(name, peer);
    }
    // The second round catches what the frames of one connection have caused on another.
    for (int round = 0; round < 2; ++round) {
        for (auto& [name, peer] : peers_) {
            if (peer.end == Peer::End::open) flush(name, peer);
        }
    }
}

} // namespace

std::string replay(const Scenario& scenario, const Table& table, std::uint16_t port) {
    return Replay(scenario, table, port).run();
}

} // namespace phx::conformance
