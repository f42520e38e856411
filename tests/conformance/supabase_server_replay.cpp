#include "tests/conformance/supabase_server_replay.hpp"

#include "phx/server/server.hpp"
#include "tests/conformance/compare.hpp"
#include "tests/conformance/fresh_tokens.hpp"
#include "tests/conformance/peer.hpp"
#include "tests/conformance/poll_tokens.hpp"
#include "tests/conformance/supabase_scenario.hpp"

#include <map>
#include <stdexcept>
#include <utility>

namespace phx::conformance {

using nlohmann::json;

namespace {

/// The recorded server's socket is at /socket.
phx::server::Options options() {
    phx::server::Options options;
    options.endpoints = {{.path = "/socket", .dialect = phx::server::Dialect::supabase}};
    phx::server::TokenOptions tokens;
    tokens.keys.secrets = {std::string(replay_secret)};
    tokens.rules.require_role = true;
    options.tokens = std::move(tokens);
    options.policies = recorded_policies();
    options.allowed_origins = {"*"};
    return options;
}

/// Requests that belong to no connection.
const std::string http = "HTTP";

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

class Player {
public:
    Player(const Scenario& scenario, const Table& table, std::uint16_t port)
        : scenario_(scenario), table_(table), port_(port) {}

    std::string run() try {
        for (const Step& step : scenario_.steps) {
            if (step.sender == Sender::client) play(step);
            if (step.sender == Sender::server) compare(step);
        }
        settle();
        return "";
    } catch (const std::exception& error) {
        return std::string(error.what()) + "\ntranscript:\n" + transcript_;
    }

private:
    void play(const Step& step) {
        note(step, " -> ", step.line);
        if (step.kind == "connect") return connect(step);
        if (step.kind == "http_request") return request(step);
        Peer& peer = peers_.at(step.connection);
        if (!peer.is_open()) return;
        const std::string payload = step.kind == "close" ? "" : payload_of(step);
        peer.send(step, step.line.value("opcode", "") == "text" ? with_fresh_tokens(payload) : payload);
    }

    void connect(const Step& step) {
        const std::string target = target_of(step.line.at("url").get<std::string>());
        peers_[step.connection].connect(port_, with_fresh_tokens(target), fresh_headers(step));
    }

    void request(const Step& step) {
        HttpHeaders headers = fresh_headers(step);
        headers.emplace_back("Connection", "keep-alive"); // as the recorder's client
        peers_[http].request(port_, step.line.at("method").get<std::string>(),
                             with_fresh_tokens(step.line.at("path").get<std::string>()), headers,
                             step.line.value("body", ""));
    }

    static HttpHeaders fresh_headers(const Step& step) {
        HttpHeaders headers = headers_of(step);
        for (auto& [name, value] : headers) value = with_fresh_tokens(value);
        return headers;
    }

    void compare(const Step& step) {
        const auto found = peers_.find(name_of(step));
        if (found == peers_.end()) return; // of a connection of the recording before
        if (step.kind == "close" && step.line.at("code") == 1006) {
            // The client went without a word, or reports that its upgrade was refused.
            if (found->second.is_open()) found->second.drop();
            return;
        }
        const Difference* const difference = table_.find(scenario_.name, step.seq);
        const std::vector<json> wanted = difference ? difference->ours : std::vector<json>{event_of(step)};
        for (const json& event : wanted) expect(step, found->second, event);
    }

    void expect(const Step& step, Peer& peer, json event) {
        json got = peer.next_event();
        if (is_presence_diff(got) != is_presence_diff(event)) {
            json next = peer.next_event();
            if (is_presence_diff(next) == is_presence_diff(event)) std::swap(got, next);
            peer.put_back(std::move(next));
        }
        note(step, " <- ", got);
        align_headers(event, got, peer.asked_by());
        poll_tokens_.align(event, got);
        const std::string differs = comparer_.difference(event, got);
        if (!differs.empty())
            fail("seq " + std::to_string(step.seq) + ", connection " + name_of(step) + ": " + differs);
    }

    /// Twice: a frame of one connection can have caused one on another.
    void settle() {
        for (int round = 0; round < 2; ++round) {
            for (auto& [name, peer] : peers_)
                if (peer.is_open()) peer.flush(name);
        }
    }

    void note(const Step& step, const char* arrow, const json& what) {
        const std::string text = what.dump(-1, ' ', false, json::error_handler_t::replace);
        transcript_ += name_of(step) + arrow + text.substr(0, 300) + "\n";
    }

    static std::string name_of(const Step& step) { return step.connection.empty() ? http : step.connection; }

    const Scenario& scenario_;
    const Table& table_;
    std::uint16_t port_;
    std::map<std::string, Peer> peers_{};
    PollTokens poll_tokens_{};
    EventComparer comparer_{};
    std::string transcript_{};
};

} // namespace

std::string replay_supabase_to_server(const Scenario& scenario, const Table& table) {
    phx::server::Server server(options());
    const phx::Result<std::uint16_t> port = server.start();
    return port ? Player(scenario, table, *port).run() : port.error().message;
}

} // namespace phx::conformance
