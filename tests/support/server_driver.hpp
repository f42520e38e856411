#pragma once

#include "protocol/server/server_machine.hpp"
#include "tests/support/hex.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::test {

namespace server = protocol::server;

/// Runs a ServerMachine in virtual time, answers its questions like an application, and writes every output
/// as a line:
///
///     A < ["1","1","room:a","phx_reply",...]     a frame to the connection A
///     A,B < [null,null,"room:a","new_msg",{}]    a fan-out
///     A < 02060361...                            a binary frame, in hexadecimal
///     A close 1011 / A idle since 0 s close 1002 / A dropped malformed frame
///     room:a ended left                          a membership of a channel
///     request 1 ok {"n":1} / request 2 timeout   what the shell asked
///     A late response
///     subscribe topic room:a / publish topic room:a new_msg {} / effect mail {}
class ServerDriver {
public:
    explicit ServerDriver(server::ServerConfig config = {});

    // ---- the application; questions without a handler are answered with ok, or not at all
    std::function<phx::server::JoinAnswer(std::string_view topic, phx::server::PayloadView params)> on_join;
    std::function<phx::server::Actions(server::ReplyTo, std::string_view event, phx::server::PayloadView)>
        on_message;
    std::function<phx::server::Actions(std::string_view event, phx::server::PayloadView)> on_out;
    std::function<phx::server::Actions(std::string_view info)> on_info;
    std::function<phx::server::Actions(std::string_view tag, const Result<phx::server::Payload>&)>
        on_response;
    /// Without one tokens are not answered.
    std::function<server::TokenVerdict(std::string_view token)> on_token;
    std::function<phx::server::JoinAnswer(std::string_view event, phx::server::PayloadView)> on_first;
    std::function<phx::server::Actions(std::string_view event, phx::server::PayloadView)> on_broker;
    std::function<phx::server::Actions(std::string_view topic)> on_close;
    /// The broker key of a channel, as Handlers::broker_key.
    std::function<std::optional<std::string>(std::string_view topic)> key_of;
    /// Set by a handler: it threw.
    bool threw = false;

    // ---- the peers, by name
    void open(const std::string& name, server::SessionConfig config);
    void open(const std::string& name, protocol::Vsn vsn = protocol::Vsn::v2,
              server::Dialect dialect = server::Dialect::phoenix, std::string socket_id = {},
              phx::server::Identity = {});
    void close(const std::string& name);
    void text(const std::string& name, std::string_view data);
    void binary(const std::string& name, std::string_view hex);
    void activity(const std::string& name);
    void advance(protocol::Duration);

    /// The lines since the last call.
    std::vector<std::string> lines();
    /// Carries out and answers everything that is queued; the turn ends then.
    void drain();
    /// Off: several calls are one turn.
    bool ends_turns = true;

    /// Of the questions, the last one that was asked.
    struct Asked {
        server::MemberId member;
        server::ReplyTo reply_to;
    };
    Asked asked{};
    /// Of the last act::Subscribe.
    server::SubscriptionId subscription{};
    /// Of the last act::ReadHistory.
    server::MemberId reader{};

    server::SessionId id(const std::string& name) const { return ids_.at(name); }

    server::ServerMachine machine;
    protocol::TimePoint now{};

private:
    void drain_once();
    void answer(server::MemberId, server::ReplyTo, phx::server::Actions);
    std::string name(server::SessionId) const;
    void log(const server::Output&);
    template <class T> void log_one(const T&);

    std::map<std::string, server::SessionId> ids_;
    std::map<server::SessionId, std::string> names_;
    std::vector<std::string> lines_;
};

} // namespace phx::test
