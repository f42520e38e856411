#include "tests/conformance/supabase_replay.hpp"

#include "protocol/server/rest.hpp"
#include "protocol/server/server_machine.hpp"
#include "tests/conformance/compare.hpp"
#include "tests/conformance/supabase_scenario.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <utility>

namespace phx::conformance {

using nlohmann::json;

namespace {

namespace act = protocol::server::act;
namespace event = protocol::server::event;
using protocol::Opcode;
using protocol::Vsn;
using protocol::server::RareOutput;
using protocol::server::SessionId;
using protocol::server::TokenVerdict;
using std::chrono::milliseconds;

protocol::server::ServerConfig config() {
    protocol::server::ServerConfig config;
    config.verifies_tokens = true;
    config.policies = recorded_policies();
    return config;
}

phx::server::Identity identity_of(const json& claims) {
    phx::server::Identity identity;
    identity.user_id = claims.value("sub", "");
    identity.roles = {claims.value("role", "")};
    return identity;
}

struct Peer {
    SessionId session = {};
    std::deque<json> said = {}; ///< by us, not compared yet
    bool is_open = true;
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

/// Ids of postgres_changes are opaque, and how long ago a token expired depends on how long the real server
/// took.
json masked(const json& value) {
    static const std::regex ago("expired [1-9][0-9]* seconds ago"), id("\"id\":[0-9]{5,}");
    const std::string text = std::regex_replace(value.dump(), ago, "expired N seconds ago");
    return json::parse(std::regex_replace(text, id, "\"id\":0"));
}

class Player {
public:
    Player(const Scenario& scenario, const Table& table)
        : scenario_(scenario), table_(table), began_ms_(began_at_ms(scenario)) {
        start(config());
    }

    std::string run() try {
        for (const Step& step : scenario_.steps) {
            pass_time(step);
            if (step.line.value("note", "").starts_with("== ")) begin_part(step.line["note"]);
            if (!is_played_) continue;
            if (step.sender == Sender::client) play(step);
            if (step.sender == Sender::server) compare(step);
        }
        check_silence();
        return "";
    } catch (const std::exception& error) {
        return std::string(error.what()) + "\ntranscript:\n" + transcript_;
    }

private:
    void start(const protocol::server::ServerConfig& config) {
        max_broadcast_bytes_ = config.max_broadcast_bytes;
        machine_.emplace(config);
        machine_->set_unix_time(now_, milliseconds(began_ms_));
    }

    void check_silence() const {
        for (const auto& [name, peer] : peers_)
            if (!peer.said.empty())
                fail("connection " + name + ": more than was recorded: " + peer.said[0].dump());
    }

    /// The recording of limits has parts, each with limits and connections of its own. Those of which the
    /// machine knows nothing, or which Supabase judges by averages, are left out.
    void begin_part(const std::string& title) {
        check_silence();
        peers_.clear();
        names_.clear();
        protocol::server::ServerConfig changed = config();
        is_played_ = true;
        if (title == "== max_payload_size_in_kb=1") {
            changed.max_broadcast_bytes = changed.max_presence_meta_bytes = 1500;
        } else if (title == "== max_channels_per_client=2") {
            changed.max_channels_per_session = 2;
        } else if (title == "== private_only") {
            changed.private_only = true;
        } else {
            is_played_ = false;
        }
        start(changed);
    }

    void pass_time(const Step& step) {
        const protocol::TimePoint end{milliseconds(static_cast<std::int64_t>(step.at_ms))};
        while (machine_->next_timeout() && *machine_->next_timeout() <= end) {
            now_ = std::max(now_, *machine_->next_timeout());
            machine_->handle_timeout(now_);
            drain();
        }
        now_ = std::max(now_, end);
    }

    void play(const Step& step) {
        transcript_ += step.connection + " -> " + step.line.dump().substr(0, 300) + "\n";
        if (step.kind == "connect") return connect(step);
        if (step.kind == "http_request") return post(step);
        const auto peer = peers_.find(step.connection);
        if (peer == peers_.end() || !peer->second.is_open) return;
        if (step.kind == "close") {
            end(peer->second);
        } else if (step.kind == "frame") {
            const std::string payload = payload_of(step);
            const Opcode opcode = step.line["opcode"] == "text" ? Opcode::text : Opcode::binary;
            machine_->handle_frame(now_, peer->second.session, opcode, payload);
            drain();
        }
    }

    void connect(const Step& step) {
        const std::string url = step.line.at("url").get<std::string>();
        const std::size_t at = url.find("apikey=");
        std::string token = step.line["headers"].value("x-api-key", "");
        if (at != url.npos) token = url.substr(at + 7, url.find('&', at) - at - 7);
        const json claims = claims_of(token);
        protocol::server::SessionConfig session;
        session.dialect = protocol::server::Dialect::supabase;
        session.vsn = url.find("vsn=2") != url.npos ? Vsn::v2 : Vsn::v1;
        static_cast<phx::server::Identity&>(session.record) = identity_of(claims);
        session.token_expires_at = when(claims.at("exp"));
        Peer& peer = peers_[step.connection] = Peer{machine_->handle_open(now_, session)};
        names_[peer.session] = step.connection;
    }

    protocol::TimePoint when(const json& unix_seconds) const {
        return protocol::TimePoint{milliseconds(1000 * unix_seconds.get<std::int64_t>() - began_ms_)};
    }

    void post(const Step& step) {
        const std::string path = step.line.at("path").get<std::string>(), body = step.line.value("body", "");
        post_errors_.reset();
        if (path == "/api/broadcast") return post_batch(body);
        if (!path.starts_with("/api/broadcast/")) return;
        post_errors_ = protocol::server::payload_errors(body, max_broadcast_bytes_);
        if (post_errors_->empty()) fail("seq " + std::to_string(step.seq) + ": only refused ones are played");
    }

    void post_batch(const std::string& body) {
        const auto batch = protocol::server::read_batch(body, max_broadcast_bytes_);
        post_errors_ = batch.errors;
        if (!batch.errors.empty()) return;
        for (const auto& message : batch.messages) {
            machine_->broadcast_realtime(now_, {.topic = message.topic,
                                                .event = message.event,
                                                .payload = {Opcode::text, message.payload},
                                                .is_private = message.is_private});
            drain();
        }
    }

    void end(Peer& peer) {
        if (!std::exchange(peer.is_open, false)) return;
        machine_->handle_closed(now_, peer.session);
        drain();
    }

    TokenVerdict judge(std::string_view token) const {
        const json claims = claims_of(token);
        const auto refused = [](const std::string& code, const std::string& text, const std::string& system) {
            return TokenVerdict{nullptr, {}, code + ": " + text, system};
        };
        const std::string no_jwt = "The token provided is not a valid JWT";
        if (claims.is_null()) return refused("MalformedJWT", no_jwt, no_jwt);
        if (is_forged(token))
            return refused("JwtSignatureError", "Failed to validate JWT signature", ":signature_error");
        const std::string fields = "Fields `role` and `exp` are required in JWT";
        if (!claims.contains("role") || !claims.contains("exp"))
            return refused("InvalidJWTToken", fields, fields);
        const protocol::TimePoint expires_at = when(claims["exp"]);
        if (expires_at <= now_) {
            const auto ago = std::chrono::duration_cast<std::chrono::seconds>(now_ - expires_at).count();
            const std::string expired = "Token has expired " + std::to_string(ago) + " seconds ago";
            return refused("InvalidJWTToken", expired, expired);
        }
        return {std::make_shared<const phx::server::Identity>(identity_of(claims)), expires_at, {}, {}};
    }

    void drain() {
        do {
            drain_once();
        } while (machine_->handle_turn_end());
        for (const SessionId session : std::exchange(closing_, {})) end(peer_of(session));
    }

    void drain_once() {
        while (const auto output = machine_->poll()) {
            if (const auto* send = std::get_if<act::Send>(&*output)) {
                say(send->session, send->opcode, send->data);
            } else if (const auto* fanout = std::get_if<act::Fanout>(&*output)) {
                for (const SessionId session : fanout->sessions) say(session, fanout->opcode, fanout->data);
            } else if (const auto* close = std::get_if<act::Close>(&*output)) {
                peer_of(close->session).said.push_back({{"close", close->code}, {"reason", close->reason}});
            } else if (const auto* idle = std::get_if<act::CloseIfIdle>(&*output)) {
                peer_of(idle->session).said.push_back({{"close", idle->code}, {"reason", ""}});
                closing_.push_back(idle->session);
            } else if (const auto* rare = std::get_if<RareOutput>(&*output)) {
                if (const auto* asked = std::get_if<event::TokenAsked>(rare))
                    machine_->answer_token(now_, asked->member, judge(asked->token));
            }
        }
    }

    Peer& peer_of(SessionId session) { return peers_.at(names_.at(session)); }

    void say(SessionId session, Opcode opcode, std::string_view data) {
        peer_of(session).said.push_back(opcode == Opcode::text ? json{{"text", json::parse(data)}}
                                                               : json{{"binary", to_hex(data)}});
    }

    /// Of the answer to a broadcast by HTTP what is wrong with it; its status is the shell's.
    void compare_post(const Step& step) {
        const auto errors = std::exchange(post_errors_, std::nullopt);
        const std::string recorded = step.line.value("body", "");
        if (errors && *errors != recorded)
            fail("seq " + std::to_string(step.seq) + ": expected " + recorded + ", got " + *errors);
    }

    void compare(const Step& step) {
        if (step.kind == "http_response") return compare_post(step);
        const auto found = peers_.find(step.connection);
        const bool is_said = step.kind == "frame" || step.kind == "close";
        if (found == peers_.end() || !is_said) return; // upgrades are not the machine's
        Peer& peer = found->second;
        if (step.kind == "close" && (!peer.is_open || step.line.at("code") == 1006)) {
            // The answer to the client's close, or the client just went: it read nothing more.
            peer.said.clear();
            return end(peer);
        }
        if (step.line.value("opcode", "") == "pong")
            return machine_->handle_activity(now_, peer.session); // to a ping that was not recorded
        const Difference* const difference = table_.find(scenario_.name, step.seq);
        const std::vector<json> wanted =
            difference ? difference->ours : std::vector<json>{conformance::event_of(step)};
        for (const json& event : wanted) expect(step, peer, event);
    }

    void expect(const Step& step, Peer& peer, const json& event) {
        const std::string where =
            "seq " + std::to_string(step.seq) + ", connection " + step.connection + ": ";
        if (peer.said.empty()) fail(where + "nothing, expected " + event.dump());
        const bool swaps = peer.said.size() > 1 &&
                           is_presence_diff(peer.said[0]) != is_presence_diff(event) &&
                           is_presence_diff(peer.said[1]) == is_presence_diff(event);
        const auto ours = peer.said.begin() + (swaps ? 1 : 0);
        transcript_ += step.connection + " <- " + ours->dump().substr(0, 300) + "\n";
        const std::string differs = comparer_.difference(masked(event), masked(*ours));
        if (!differs.empty()) fail(where + differs);
        peer.said.erase(ours);
    }

    const Scenario& scenario_;
    const Table& table_;
    std::optional<protocol::server::ServerMachine> machine_{};
    std::int64_t began_ms_;
    protocol::TimePoint now_{};
    std::map<std::string, Peer> peers_{};
    std::map<SessionId, std::string> names_{};
    std::vector<SessionId> closing_{};
    std::size_t max_broadcast_bytes_ = 0;
    std::optional<std::string> post_errors_{}; ///< of a broadcast by HTTP that waits for its recorded answer
    bool is_played_ = true;
    EventComparer comparer_{};
    std::string transcript_{};
};

} // namespace

std::string replay_supabase(const Scenario& scenario, const Table& table) {
    return Player(scenario, table).run();
}

} // namespace phx::conformance
