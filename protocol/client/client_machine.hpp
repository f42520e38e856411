#pragma once

#include "phx/result.hpp"
#include "protocol/client/client_config.hpp"
#include "protocol/client/outputs.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol {

/// The whole client without its socket: connection, channels, pushes, heartbeats, reconnects and rejoins.
///
/// Contract (protocol/README.md has the diagrams):
/// 1. One thread at a time; no call blocks; `now` never goes backwards.
/// 2. After every non-const call: drain poll(), carry out the orders in order, then set one timer to
/// next_timeout().
/// 3. Views in outputs live until the next handle_*() or command; poll() does not end them.
/// 4. handle_timeout() early, late or twice is harmless. A report with an old ConnId is ignored.
/// 5. For each act::Open: handle_open() at most once, handle_closed() exactly once.
/// 6. **Each PushId finishes exactly once**, whatever happens.
/// 7. Memory is bounded by the limits of ClientConfig; what exceeds one is reported.
class ClientMachine {
public:
    explicit ClientMachine(ClientConfig);
    ~ClientMachine();
    ClientMachine(ClientMachine&&) noexcept;
    ClientMachine& operator=(ClientMachine&&) noexcept;

    // ---- commands
    /// No-op while connecting, open or waiting; after disconnect() it connects anew.
    void connect(TimePoint now);
    void disconnect(TimePoint now, std::uint16_t code = 1000, std::string_view reason = {});
    /// "The network is back": skips the wait of the backoff and starts its ladder anew. Closes nothing that
    /// is open.
    void reconnect_now(TimePoint now);
    /// While waiting: dials now, as if the wait were over.
    void skip_wait(TimePoint now);
    /// While waiting: does not dial again. As after the last of ClientConfig::max_attempts, everything that
    /// waits finishes with `why`.
    void give_up(TimePoint now, const Error& why);

    /// `join_json`: the payload of phx_join, kept for rejoins.
    ChannelId add_channel(std::string topic, std::string join_json, const std::optional<ChannelConfig>& = {});
    /// The same, but act::PrepareJoin asks for the payload before each join.
    ChannelId add_asking_channel(std::string topic, const std::optional<ChannelConfig>& = {});
    void set_join_payload(ChannelId, std::string join_json);
    /// Leaves it if joined and forgets it; its id is dead afterwards, its pushes finish with channel_closed.
    void remove_channel(TimePoint now, ChannelId);

    /// Joins, or joins again after leave() or an error. While joining or joined: finishes with the join under
    /// way. A zero timeout means ClientConfig::timeout, here and below.
    PushId join(TimePoint now, ChannelId, Duration timeout = Duration{0});
    PushId push(TimePoint now, ChannelId, std::string_view event, Opcode, std::string_view payload,
                Duration timeout = Duration{0});
    PushId push(TimePoint now, ChannelId, const PushContent&, Expects, Duration timeout = Duration{0});
    /// No reply is expected and nothing waits. Errors: not_joined, buffer_full, field_too_long,
    /// invalid_payload.
    Result<void> send(TimePoint now, ChannelId, std::string_view event, Opcode, std::string_view payload);
    PushId leave(TimePoint now, ChannelId, Duration timeout = Duration{0});
    /// While errored: closes it with `why` instead of joining again.
    void give_up(TimePoint now, ChannelId, const Error& why);
    /// A heartbeat of one's own; its outcome has the round trip.
    PushId ping(TimePoint now, Duration timeout = Duration{0});
    /// Gives up waiting: finishes with Errc::cancelled if it had not finished.
    void cancel(TimePoint now, PushId);

    // ---- answers and reports of the shell
    void handle_prepared(TimePoint now, ConnId, Result<Target>);
    void handle_join_payload(TimePoint now, ChannelId, Result<std::string> json);
    void handle_open(TimePoint now, ConnId);
    /// `data` is borrowed until the next call.
    void handle_frame(TimePoint now, ConnId, Opcode, std::string_view data);
    void handle_closed(TimePoint now, ConnId, CloseInfo);

    // ---- time
    void handle_timeout(TimePoint now);
    std::optional<TimePoint> next_timeout() const;

    // ---- outputs
    std::optional<Output> poll();

    SocketState state() const noexcept;
    /// While waiting: when it dials again.
    std::optional<TimePoint> next_attempt() const noexcept;
    ChannelState channel_state(ChannelId) const noexcept; ///< closed for a dead id
    std::string_view topic(ChannelId) const noexcept;     ///< empty for a dead id

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace phx::protocol
