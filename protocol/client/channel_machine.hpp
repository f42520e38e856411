#pragma once

#include "protocol/client/client_config.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/client/push_table.hpp"
#include "protocol/client/send_buffer.hpp"
#include "protocol/time/backoff.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace phx::protocol {

/// Whether the params of a join are at hand, or asked for before each join.
enum class JoinParams : std::uint8_t { given, asked };

/// The states of one channel (phoenix.js channel.js), without its sending and its timers.
///
///   closed, errored -start_join-> joining -handle_joined-> joined -start_leave-> leaving
///   joining, joined -handle_error-> errored              any -close-> closed
///
/// Invariant: join_ref() is set exactly while the server may hold the channel for us: phx_join was sent on
/// this connection and nothing has ended it since.
class ChannelMachine {
public:
    ChannelMachine(ChannelId id, std::string topic, JoinParams params, const ChannelConfig& config);

    ChannelId id() const noexcept { return id_; }
    const std::string& topic() const noexcept { return topic_; }
    ChannelState state() const noexcept { return state_; }
    /// Of the latest join; 0 while there is none.
    std::uint64_t join_ref() const noexcept { return join_ref_; }
    /// phoenix.js channel.js isMember: a frame of another join is not ours, one without a join_ref (0) is.
    bool is_current(std::uint64_t join_ref) const noexcept { return join_ref == 0 || join_ref == join_ref_; }

    // ---- transitions; each REQUIRES a state it is drawn from above
    void start_join(Duration timeout);
    /// joining; phx_join is out.
    void handle_join_sent(std::uint64_t ref) noexcept { join_ref_ = ref; }
    /// How long it was not joined, if it had been before.
    std::optional<Duration> handle_joined(TimePoint now);
    void handle_error(TimePoint now);
    void start_leave() noexcept { state_ = ChannelState::leaving; }
    enum class Gap : std::uint8_t { keep, forget };
    /// `Gap::forget` when this side wanted it: what is missed then is no gap.
    void close(TimePoint now, Gap);

    // ---- rejoin
    /// Sets and returns when to join again; errored only. None when no attempt is left.
    std::optional<TimePoint> schedule_rejoin(TimePoint now, Random&);
    void cancel_rejoin() noexcept { rejoin_at_.reset(); }
    /// phoenix.js channel.js: the ladder begins anew with each connection.
    void reset_rejoin() noexcept { rejoin_.reset(); }
    std::optional<TimePoint> rejoin_at() const noexcept { return rejoin_at_; }
    unsigned rejoin_tries() const noexcept { return rejoin_.tries(); }
    Duration join_timeout() const noexcept { return join_timeout_; }

    AfterClose after_close() const noexcept { return after_close_; }
    Overflow overflow() const noexcept { return overflow_; }

    JoinParams params() const noexcept { return params_; }
    std::string join_json = {};
    std::optional<Error> unusable_topic = {};  ///< why no join can be sent
    std::optional<Error> unusable_params = {}; ///< likewise, until they are set again
    bool params_pending = false;               ///< asked for; one question at a time

    PushList pushes = {};
    SendBuffer waiting;
    PushId attempt{}; ///< of the join or leave under way; 0: none

private:
    ChannelId id_;
    std::string topic_;
    JoinParams params_;
    Backoff rejoin_;
    unsigned max_rejoins_;
    AfterClose after_close_;
    Overflow overflow_;
    ChannelState state_ = ChannelState::closed;
    std::uint64_t join_ref_ = 0;
    Duration join_timeout_{0};
    std::optional<TimePoint> rejoin_at_ = {};
    std::optional<TimePoint> offline_since_ = {};
};

} // namespace phx::protocol
