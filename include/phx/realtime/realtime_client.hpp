#pragma once

#include "phx/export.hpp"
#include "phx/loop.hpp"
#include "phx/push.hpp"
#include "phx/realtime/realtime_channel.hpp"
#include "phx/realtime/realtime_options.hpp"
#include "phx/socket.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx {

namespace shell {
class RealtimeHub;
}

namespace realtime {

/// One message for `RealtimeClient::http_send`.
struct HttpBroadcast {
    std::string channel = {}; ///< its name
    std::string event = {};
    Json payload = Json::object(); ///< an object: Supabase takes nothing else here
    bool is_private = false;
};

/// A client of Supabase Realtime: one socket and its channels.
///
/// Every member may be called from any thread. Channels may outlive it. When its destructor returns, no
/// handler runs any more, as `~Socket` says.
class PHX_API RealtimeClient {
public:
    /// `url`: the project, `https://PROJECT.supabase.co`, or its endpoint, `wss://HOST/realtime/v1` or
    /// `ws://HOST/socket`; http and https count as ws and wss. Throws std::invalid_argument for a URL or
    /// option that cannot be used, and without a key.
    RealtimeClient(Loop& loop, std::string_view url, RealtimeOptions options)
        : RealtimeClient(loop, url, RealtimeSetup(std::move(options))) {}
    ~RealtimeClient();
    RealtimeClient(const RealtimeClient&) = delete;
    RealtimeClient& operator=(const RealtimeClient&) = delete;

    /// The channel of that name: the existing one, whose options stay as they are, or a new one. Throws
    /// std::invalid_argument for an empty name.
    RealtimeChannel channel(std::string_view name, RealtimeChannelOptions options = {});
    std::vector<RealtimeChannel> channels() const;
    /// Unsubscribes and forgets it: the next `channel()` of this name makes a new one.
    void remove_channel(const RealtimeChannel&);
    void remove_all_channels();

    /// The user's token from now on, for all channels; empty: none. Where there is a provider, until that
    /// says otherwise.
    void set_auth(std::string token);

    /// Sends many messages in one HTTP request. Errors: as `RealtimeChannel::http_send`.
    Push http_send(const std::vector<HttpBroadcast>& messages, std::optional<Millis> timeout = {}) {
        std::vector<HttpMessage> ready;
        for (const HttpBroadcast& message : messages) {
            auto text = payload_text(message.payload);
            if (!text) return failed_push(std::move(text).error());
            ready.push_back({message.channel, message.event, *std::move(text), message.is_private});
        }
        return http_send_ready(ready, timeout);
    }

    /// `subscribe()` does it; by itself to be early.
    void connect();
    /// Until the next `subscribe()` or `connect()`, which also brings back what was subscribed.
    void disconnect();
    /// For its state, handlers (`on_open`, `on_close`, `on_error`, `on_heartbeat`, ...) and numbers.
    Socket& socket() noexcept;

private:
    struct HttpMessage {
        std::string channel, event, json;
        bool is_private;
    };

    RealtimeClient(Loop&, std::string_view url, RealtimeSetup);
    Push http_send_ready(const std::vector<HttpMessage>&, std::optional<Millis>);
    Push failed_push(Error);

    std::shared_ptr<shell::RealtimeHub> hub_;
    std::unique_ptr<Socket> socket_;
};

} // namespace realtime
} // namespace phx
