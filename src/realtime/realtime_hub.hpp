#pragma once

#include "phx/realtime/realtime_client.hpp"
#include "phx/realtime/realtime_options.hpp"
#include "src/client/socket_core.hpp"
#include "src/loop/loop_core.hpp"
#include "src/net/connection_target.hpp"
#include "src/realtime/http_sender.hpp"
#include "src/realtime/token_keeper.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace phx::shell {

class RealtimeCore;
class RealtimeDriver;

/// What a RealtimeClient and its channels share. Any thread, but for `driver`.
class RealtimeHub : public std::enable_shared_from_this<RealtimeHub> {
public:
    RealtimeHub(std::string api_key, Millis timeout) : api_key_(std::move(api_key)), timeout_(timeout) {}

    std::shared_ptr<RealtimeCore> find(const std::string& topic) const;
    void add(const std::string& topic, std::shared_ptr<RealtimeCore>);
    void remove(const RealtimeCore&);
    std::vector<std::shared_ptr<RealtimeCore>> channels() const;
    /// Lets go of all of them.
    void clear();

    const std::string& api_key() const noexcept { return api_key_; }
    /// Of what names no timeout of its own.
    Millis timeout() const noexcept { return timeout_; }

    /// Held while a channel is made or removed, which are both steps here and at the socket: a new one must
    /// not be put on what is being removed. Nothing waits inside it.
    std::mutex making;
    /// Loop thread; null before its beginning and after its end.
    RealtimeDriver* driver = nullptr;

private:
    const std::string api_key_;
    const Millis timeout_;
    mutable std::mutex mutex_; // of channels_
    std::map<std::string, std::shared_ptr<RealtimeCore>> channels_;
};

/// The part of a RealtimeClient that lives on the loop: token, HTTP, and the end of a socket that nobody
/// uses. Loop thread only.
class RealtimeDriver final : public LoopMember {
public:
    struct Setup {
        Provider<std::string> access_token;
        Millis disconnect_when_empty;
        ConnectionTarget http;
    };
    RealtimeDriver(std::shared_ptr<RealtimeHub>, std::shared_ptr<SocketCore>, Setup);
    ~RealtimeDriver() override;

    TokenKeeper& tokens() noexcept { return *tokens_; }
    /// A channel is subscribed, or is to be, from now on, or no more.
    void channel_used(bool is_used);
    void http_send(HttpSender::Request, Millis timeout, std::shared_ptr<PushState>);
    /// Everything that waits ends, and so does this.
    void end();
    void loop_stopping() override { end(); }

private:
    void handle_empty();
    void ask_credentials(Function<void(Result<HttpSender::Headers>)>);

    LoopCore& loop_;
    const std::shared_ptr<RealtimeHub> hub_;
    const std::shared_ptr<SocketCore> socket_;
    const Millis disconnect_when_empty_;
    std::shared_ptr<TokenKeeper> tokens_;
    HttpSender http_;
    std::size_t used_ = 0; // channels
    LoopTimer empty_;
};

} // namespace phx::shell
