#pragma once

#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"
#include "phx/protocol/ref_counter.hpp"
#include "protocol/client/channel_machine.hpp"
#include "protocol/client/client_machine.hpp"
#include "protocol/client/heartbeat.hpp"
#include "protocol/client/output_queue.hpp"
#include "protocol/client/push_table.hpp"
#include "protocol/client/retry.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol {

/// How far the end of a connection reaches.
enum class Scope : std::uint8_t {
    sent,       ///< what the peer had been sent; the rest waits for the next connection
    everything, ///< there will be no next connection before the user asks for one
};

/// Why channels and pushes end when a connection does.
struct Ending {
    Error channel;
    Error push;
    Scope scope;
};

/// Everything ClientMachine knows. Its functions lie in client_connection.cpp, client_channels.cpp,
/// client_pushes.cpp and client_frames.cpp.
struct ClientMachine::State {
    explicit State(ClientConfig c);

    // ---- connection
    void connect(TimePoint now);
    void disconnect(TimePoint now, std::uint16_t code, std::string_view reason);
    void reconnect_now(TimePoint now);
    void start_attempt(TimePoint now);
    void dial(Target target);
    void handle_prepared(TimePoint now, ConnId, Result<Target>);
    void handle_open(TimePoint now, ConnId);
    void handle_closed(TimePoint now, ConnId, CloseInfo);
    void handle_connection_timeout(TimePoint now);
    void handle_heartbeat_timeout(TimePoint now);
    void handle_lost(TimePoint now, CloseInfo);
    void handle_failed(TimePoint now, CloseInfo);
    void give_up(TimePoint now, const Error& why, std::optional<CloseInfo> = {});
    void change_socket(SocketState to, std::optional<CloseInfo> why = {});
    bool is_current(ConnId id) const noexcept {
        return static_cast<std::uint64_t>(id) == conn && has_connection();
    }
    bool has_connection() const noexcept {
        return state != SocketState::idle && state != SocketState::waiting;
    }
    bool is_open() const noexcept { return state == SocketState::open; }
    ConnId conn_id() const noexcept { return ConnId{conn}; }

    // ---- channels
    ChannelId add_channel(std::string topic, JoinParams, std::string join_json,
                          const std::optional<ChannelConfig>&);
    void set_join_payload(ChannelMachine&, std::string json);
    void remove_channel(TimePoint now, ChannelMachine&);
    ChannelMachine* find(ChannelId id) noexcept;
    ChannelMachine* find(std::string_view topic) noexcept;
    std::vector<ChannelMachine*> in_order();

    PushId join(TimePoint now, ChannelMachine&, Duration timeout);
    PushId leave(TimePoint now, ChannelMachine&, Duration timeout);
    void begin_join(TimePoint now, ChannelMachine&, Duration timeout);
    void go_on_joining(TimePoint now, ChannelMachine&);
    void send_join(TimePoint now, ChannelMachine&);
    void send_leave(const ChannelMachine&, std::uint64_t ref);
    void tell_leaving(const ChannelMachine&);
    void handle_join_payload(TimePoint now, ChannelMachine&, Result<std::string> json);
    void handle_join_ok(TimePoint now, ChannelMachine&, const PushOutcome&);
    void fail_join(TimePoint now, ChannelMachine&, const Error& why, const PushOutcome& joins);
    void handle_join_timeout(TimePoint now, ChannelMachine&);
    void schedule_rejoin(TimePoint now, ChannelMachine&, const Error& why);
    void give_up(TimePoint now, ChannelMachine&, const Error& why);
    void settle_rejoins();
    void handle_rejoins(TimePoint now);
    void close_channel(TimePoint now, ChannelMachine&, ChannelMachine::Gap, const PushOutcome& leaves,
                       const Error& pushes_end, std::optional<Error> why = {});
    void complete_leave(TimePoint now, ChannelMachine&, const PushOutcome& leaves);
    void replace_duplicate(TimePoint now, const ChannelMachine& joining);
    void end_channel(TimePoint now, ChannelMachine&, const Ending&);
    void end_channels(TimePoint now, const Ending&);
    void change_channel(ChannelMachine&, ChannelState from, std::optional<Error> why = {});
    void drop_attempt(ChannelMachine&);

    // ---- pushes
    PushId push(TimePoint now, ChannelMachine&, const PushContent&, Expects, Duration);
    Result<void> send(TimePoint now, ChannelMachine&, const PushContent&);
    PushId ping(TimePoint now, Duration timeout);
    void cancel(PushId);
    std::uint64_t send_heartbeat();
    Result<void> check(const ChannelMachine&, const PushContent&);
    Result<void> make_room(ChannelMachine&, std::size_t bytes);
    Result<PushId> buffer(TimePoint now, ChannelMachine&, PushKind, const PushContent&, Duration timeout);
    Result<void> send_push(const ChannelMachine&, std::uint64_t ref, const PushContent&);
    Result<Opcode> append_push(const Address&, const PushContent&);
    void flush(TimePoint now, ChannelMachine&);
    PushId finish_now(PushOutcome outcome);
    PushId fail_now(Error error);
    void finish(PushId, PushOutcome);
    void fail(PushId, const Error&);
    enum class Which : std::uint8_t { all, sent_pushes, joins, leaves };
    void finish_all(const PushList&, Which, const PushOutcome&);
    void fail_in_flight(ChannelMachine&, const Error&);
    void handle_push_timeouts(TimePoint now);
    bool is_full() const noexcept { return pushes.size() >= config.max_waiting_pushes; }
    TimePoint deadline_of(TimePoint now, Duration timeout) const noexcept {
        return after(now, timeout > Duration{0} ? timeout : config.timeout);
    }

    // ---- frames
    void handle_frame(TimePoint now, Opcode, std::string_view data);
    void handle_reply(TimePoint now, const FrameView&, EventKind);
    void handle_join_reply(TimePoint now, ChannelMachine&, PushOutcome);
    void handle_end(TimePoint now, const FrameView&, EventKind);
    void handle_message(const FrameView&, EventKind);

    ClientConfig config;
    OutputQueue out;
    Random random;
    RefCounter refs;
    PushTable pushes;
    PushList pings;

    SocketState state = SocketState::idle;
    std::uint64_t conn = 0;                 ///< of the latest attempt
    bool dialled = false;                   ///< act::Open of it is out
    std::optional<TimePoint> deadline = {}; ///< of connecting, closing or waiting
    Retry retry;
    Heartbeat heartbeat;

    std::unordered_map<ChannelId, std::unique_ptr<ChannelMachine>> channels;
    std::uint32_t last_channel = 0;
    /// The channels that are not closed, by their own topic strings: at most one for each topic.
    std::unordered_map<std::string_view, ChannelMachine*> live;
    TimerTable<ChannelId> rejoins;
    std::string scratch; ///< of decode()
};

inline Error make_error(Errc code, std::string message, Origin origin = Origin::local) {
    return Error{make_error_code(code), origin, std::move(message), {}};
}
inline PushOutcome failed(Error error) {
    PushOutcome outcome;
    outcome.error = std::move(error);
    return outcome;
}
/// What finishes well without an answer of the server.
inline PushOutcome done() {
    PushOutcome outcome;
    outcome.status = "ok";
    outcome.response = "{}";
    return outcome;
}

} // namespace phx::protocol
