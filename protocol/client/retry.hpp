#pragma once

#include "protocol/client/client_config.hpp"

#include <optional>

namespace phx::protocol {

/// When to try the next connection. The ladder begins anew only after a connection that lasted
/// `stable_after`: a server that accepts and then closes is not hammered (phoenix.js starts anew at each
/// open, which gives 98 connects a second).
class Retry {
public:
    explicit Retry(const ClientConfig&);

    void handle_open(TimePoint now);
    /// The wait after a connection that had been open.
    Duration handle_lost(TimePoint now, const CloseInfo&, Random&);
    /// The wait after an attempt that never opened; none when that was the last one allowed.
    std::optional<Duration> handle_failed(const CloseInfo&, Random&);
    void reset() noexcept;

    /// Of the next attempt, from 0: how many came since the last stable connection.
    unsigned attempt() const noexcept { return attempt_; }

private:
    Duration wait(const CloseInfo&, Random&);

    Backoff first_connect_;
    Backoff reconnect_;
    Duration stable_after_;
    unsigned max_attempts_;
    unsigned attempt_ = 0;
    unsigned failures_ = 0; ///< since the last open
    bool opened_once_ = false;
    TimePoint opened_at_{};
};

} // namespace phx::protocol
