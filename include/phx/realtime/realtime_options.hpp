#pragma once

#include "phx/error.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/options.hpp"
#include "phx/provider.hpp"
#include "phx/realtime/postgres_text.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace phx::realtime {

/// Messages of the database that were sent before the join; of private channels alone.
struct Replay {
    std::chrono::system_clock::time_point since = {};
    int limit = 25; ///< 1 to 25
};

struct RealtimeChannelOptions {
    /// What this channel sends comes back to it, too.
    bool broadcast_self = false;
    /// The server confirms each broadcast: `send()` then finishes with its reply, or times out.
    bool broadcast_ack = false;
    /// The policies of the project decide who may join, read and write.
    bool is_private = false;
    /// The state of the presence is wanted though nobody listens for it. Handlers of presence switch it on.
    bool presence = false;
    /// The key of this client's presence; empty: the server makes one.
    std::string presence_key = {};
    std::optional<Replay> replay = {};
    /// A private channel that was away asks for what the database sent meanwhile, at most the server's 25
    /// messages; what came already is left out by its id. `on_gap` tells all the same: what clients sent, and
    /// changes of the database, are not replayed.
    bool replay_missed = true;
    PostgresNumbers numbers = PostgresNumbers::as_json;
    /// Asked on the loop thread when the channel was refused, timed out, or was ended by the server, with the
    /// `Reason` as its code where there is one; false: it is closed until `subscribe()`. Not set: everything
    /// but what fails again for certain; reasons that need another token only if there is a provider of
    /// tokens.
    Function<bool(const Error&)> should_resubscribe = {};
};

/// The options of a socket for Supabase, with realtime-js' numbers: heartbeats every 25 s that may take as
/// long (a refused join keeps the real server busy for 5 s), reconnects after 1, 2, 5 and 10 s, with jitter.
inline SocketOptions socket_options() {
    SocketOptions options;
    options.heartbeat_interval = Millis(25'000);
    options.heartbeat_timeout = Millis(25'000);
    options.retry.first_connect = {{Millis(1000), Millis(2000), Millis(5000), Millis(10'000)}, Jitter::equal};
    return options;
}

struct RealtimeOptions {
    /// The project's publishable (anon) or secret key, a query parameter of the URL. REQUIRED
    std::string api_key = {};
    /// The user's token (a JWT), asked for before each attempt to connect, before each join, at each
    /// heartbeat and before its time is over; a new one is given to all channels. Not set: what `set_auth()`
    /// says, or none.
    Provider<std::string> access_token = {};
    /// With no channel subscribed for this long the socket disconnects, until the next `subscribe()`.
    /// Zero: at once. realtime-js disconnectOnEmptyChannelsAfterMs.
    Millis disconnect_when_empty{50'000};
    SocketOptions socket = socket_options();
};

/// @internal The options as they cross the compiled interface.
struct RealtimeSetup {
    std::string api_key;
    Provider<std::string> access_token;
    Millis disconnect_when_empty;
    SocketSetup socket;

    explicit RealtimeSetup(RealtimeOptions options)
        : api_key(std::move(options.api_key)), access_token(std::move(options.access_token)),
          disconnect_when_empty(options.disconnect_when_empty), socket(std::move(options.socket)) {}
};

} // namespace phx::realtime
