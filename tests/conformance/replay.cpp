#include "tests/conformance/replay.hpp"

#include "tests/conformance/compare.hpp"
#include "tests/conformance/peer.hpp"
#include "tests/conformance/poll_tokens.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace phx::conformance {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// Recordings about idleness: the pauses between their lines matter.
constexpr std::string_view paced_scenarios = "_idle_timeout";
/// Of /limited, and how early or late a close may come. Traffic to the client (0.7 s and 1.4 s after its last
/// frame in the recording) would delay it to 3.4 s.
constexpr milliseconds idle_timeout{2000}, idle_early{50}, idle_late{1200};

struct Client {
    Peer peer = {};
    steady_clock::time_point last_sent = {};
    int slow_ms = 0; ///< the longest delayed answer asked for
};

class Replay {
public:
    Replay(const Scenario& scenario, const Table& table, const Target& target)
        : scenario_(scenario), table_(table), target_(target) {}

    std::string run() try {
        for (const Step& step : scenario_.steps) play(step);
        settle();
        return "";
    } catch (const std::exception& error) {
        return std::string(error.what()) + "\ntranscript:\n" + transcript_;
    }

private:
    void play(const Step& step);
    void play_note(const Step& step);
    void play_client(const Step& step);
    void play_server(const Step& step);
    void connect(const Step& step);
    void request(const Step& step);
    void send(Client& client, const Step& step);
    void expect(Client& client, const Step& step, json event);
    void check_idle_close(const Client& client, const Step& step, const json& event) const;
    void pause_until(double at_ms) const;
    void wait_out_slow_answers(const std::string& name, Client& client);
    void settle();
    void note(std::string_view who, std::string_view arrow, const json& what);

    bool is_paced() const { return scenario_.name.find(paced_scenarios) != std::string::npos; }

    const Scenario& scenario_;
    const Table& table_;
    const Target& target_;
    std::map<std::string, Client> clients_{};
    PollTokens poll_tokens_{};
    EventComparer comparer_{};
    steady_clock::time_point start_ = steady_clock::now();
    std::string transcript_{};
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

bool is_sigterm(const Step& step) {
    return step.kind == "note" && step.line.value("text", "").starts_with("SIGTERM");
}

void Replay::note(std::string_view who, std::string_view arrow, const json& what) {
    std::string text = what.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > 300) text = text.substr(0, 300) + "...";
    transcript_ += std::string(who) + " " + std::string(arrow) + " " + text + "\n";
}

void Replay::play(const Step& step) {
    if (step.sender == Sender::client) return play_client(step);
    if (step.sender == Sender::server) return play_server(step);
    if (is_sigterm(step)) return target_.terminate();
    play_note(step);
}

void Replay::play_note(const Step& step) {
    const bool gave_up = step.kind == "client_event" &&
                         step.line.value("event", "").find("no subprotocol") != std::string::npos;
    if (step.kind == "client_error" || gave_up) {
        // The recorded client gave up by itself: it had offered a subprotocol and got none.
        clients_.at(step.connection).peer.drop();
    } else if (step.kind == "note" && step.line.value("text", "").starts_with("connection still open")) {
        Peer& peer = clients_.at(step.connection).peer;
        if (peer.is_open()) peer.flush(step.connection);
    }
}

void Replay::play_client(const Step& step) {
    if (step.kind == "connect") return connect(step);
    if (step.kind == "http_request") return request(step);
    Client& client = clients_.at(step.connection);
    if (!client.peer.is_open()) return; // our server has closed it, as the table says
    if (is_paced()) pause_until(step.at_ms);
    note(step.connection, "->", step.line.contains("data") ? step.line["data"] : json(step.kind));
    send(client, step);
    client.last_sent = steady_clock::now();
}

void Replay::connect(const Step& step) {
    Client& client = clients_[step.connection];
    std::string protocols;
    for (const json& name : step.line.value("protocols", json::array())) {
        protocols += (protocols.empty() ? "" : ", ") + name.get<std::string>();
    }
    // The recording does not name what its client offered; any name that the server does not know will do.
    if (scenario_.name == "v2_ws_subprotocol") protocols = "unknown";
    HttpHeaders headers;
    if (!protocols.empty()) headers.emplace_back("Sec-WebSocket-Protocol", protocols);
    note(step.connection, "->", step.line.at("url"));
    client.peer.connect(target_.port, target_of(step.line.at("url").get<std::string>()), headers);
    client.last_sent = steady_clock::now();
}

void Replay::request(const Step& step) {
    Client& client = clients_[step.connection];
    HttpHeaders headers = headers_of(step);
    // The recorder's client adds it when it is not told otherwise.
    if (!step.line["headers"].contains("connection")) headers.emplace_back("Connection", "close");
    note(step.connection, "->", step.line.at("path"));
    client.last_sent = steady_clock::now();
    client.peer.request(target_.port, step.line.at("method").get<std::string>(),
                        poll_tokens_.with_ours(step.line.at("path").get<std::string>()), headers,
                        step.line.value("body", ""));
}

void Replay::send(Client& client, const Step& step) {
    const std::string payload = step.kind == "close" ? "" : payload_of(step);
    const json value = json::parse(payload, nullptr, false);
    if (value.is_array() && value.size() == 5 && value[3] == "slow") client.slow_ms = value[4].value("ms", 0);
    if (value.is_object() && value.value("event", json()) == "slow")
        client.slow_ms = value["payload"].value("ms", 0);
    client.peer.send(step, payload);
}

void Replay::play_server(const Step& step) {
    Client& client = clients_.at(step.connection);
    // What a client's library reports after a refused upgrade, or after it has given up, is not of the
    // server.
    if (step.kind == "close" && step.line.at("code") == 1006 && !client.peer.is_open()) return;
    const Difference* difference = table_.find(scenario_.name, step.seq);
    const std::vector<json> events = difference ? difference->ours : std::vector<json>{event_of(step)};
    for (const json& event : events) expect(client, step, event);
}

void Replay::expect(Client& client, const Step& step, json event) {
    json got = client.peer.next_event();
    note(step.connection, "<-", got);
    align_headers(event, got, client.peer.asked_by());
    poll_tokens_.align(event, got);
    const std::string found = comparer_.difference(event, got);
    const std::string where = "seq " + std::to_string(step.seq) + ", connection " + step.connection + ": ";
    if (!found.empty()) fail(where + found);
    if (is_paced()) check_idle_close(client, step, got);
    const json body = got.value("body", json());
    const bool is_empty_poll = body.is_object() && body.value("status", 0) == 204;
    if (is_empty_poll && steady_clock::now() < client.last_sent + target_.poll_window)
        fail(where + "the poll was answered before its time");
}

void Replay::check_idle_close(const Client& client, const Step& step, const json& event) const {
    if (!event.contains("close")) return;
    const auto after = std::chrono::duration_cast<milliseconds>(steady_clock::now() - client.last_sent);
    if (after >= idle_timeout - idle_early && after <= idle_timeout + idle_late) return;
    fail("seq " + std::to_string(step.seq) + ": closed " + std::to_string(after.count()) +
         " ms after the client's last frame, expected about " + std::to_string(idle_timeout.count()) + " ms");
}

/// The client's pauses are what these recordings are about.
void Replay::pause_until(double at_ms) const {
    std::this_thread::sleep_until(start_ +
                                  std::chrono::microseconds(static_cast<std::int64_t>(at_ms * 1000)));
}

/// Delayed answers that must not come are out of the way when a later one has come: on a channel of its own.
void Replay::wait_out_slow_answers(const std::string& name, Client& client) {
    const auto push = [&](const char* event, const char* ref, const json& payload) {
        const json frame =
            client.peer.is_v2()
                ? json{"s0", ref, "room:settle", event, payload}
                : json{{"topic", "room:settle"}, {"event", event}, {"payload", payload}, {"ref", ref}};
        const json got = client.peer.ask(frame);
        const json value = got.value("text", json::object());
        const json got_ref = value.is_array() ? value[1] : value.value("ref", json());
        if (got_ref != ref) fail("connection " + name + ": more than was recorded: " + got.dump());
    };
    push("phx_join", "s0", json::object());
    push("slow", "s1", {{"ms", client.slow_ms + 1}});
}

void Replay::settle() {
    for (auto& [name, client] : clients_) {
        if (client.peer.is_open() && client.slow_ms > 0) wait_out_slow_answers(name, client);
    }
    // The second round catches what the frames of one connection have caused on another.
    for (int round = 0; round < 2; ++round) {
        for (auto& [name, client] : clients_) {
            if (client.peer.is_open()) client.peer.flush(name);
        }
    }
}

} // namespace

std::string replay(const Scenario& scenario, const Table& table, const Target& target) {
    return Replay(scenario, table, target).run();
}

bool ends_its_server(const Scenario& scenario) {
    return std::any_of(scenario.steps.begin(), scenario.steps.end(), is_sigterm);
}

} // namespace phx::conformance
