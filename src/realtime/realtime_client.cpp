#include "phx/realtime/realtime_client.hpp"

#include "phx/protocol/topic.hpp"
#include "protocol/realtime/endpoint.hpp"
#include "protocol/realtime/rest.hpp"
#include "src/client/channel_calls.hpp"
#include "src/realtime/realtime_core.hpp"
#include "src/realtime/realtime_hub.hpp"

#include <stdexcept>
#include <utility>

namespace phx::realtime {
namespace {

using shell::Driver;
using shell::PushState;
using shell::RealtimeCore;
using shell::RealtimeDriver;
using shell::RealtimeHub;

template <class T> T usable(Result<T> result) {
    if (!result) throw std::invalid_argument(result.error().message);
    return *std::move(result);
}

using Params = std::vector<protocol::Param>;

/// The params of each attempt to connect, once there is a token for the joins that follow it.
Provider<Params> params_with_token(const std::shared_ptr<RealtimeHub>& hub, Params key, Params given,
                                   Provider<Params> wanted) {
    return [hub, key = std::move(key), given = std::move(given),
            wanted = std::make_shared<Provider<Params>>(std::move(wanted))](Answer<Params> answer) {
        auto answer_with = [key](Answer<Params>& waiting, Result<Params> params) {
            if (params) params->insert(params->end(), key.begin(), key.end());
            waiting(std::move(params));
        };
        if (!hub->driver) return answer(Failure{shell::SocketCore::closed_error()});
        hub->driver->tokens().ask([answer_with, given, wanted,
                                   answer = std::move(answer)](const Result<std::string>& token) mutable {
            if (!token) return answer(Failure{token.error()});
            if (!*wanted) return answer_with(answer, given);
            wanted->ask(
                Answer<Params>([answer_with, answer = std::move(answer)](Result<Params> params) mutable {
                    answer_with(answer, std::move(params));
                }));
        });
    };
}

} // namespace

RealtimeClient::RealtimeClient(Loop& loop, std::string_view url, RealtimeSetup setup)
    : hub_(std::make_shared<RealtimeHub>(setup.api_key, setup.socket.timeout)) {
    if (setup.api_key.empty()) throw std::invalid_argument("Supabase needs an API key");
    std::string endpoint = usable(protocol::realtime::socket_endpoint(url));
    RealtimeDriver::Setup rest;
    rest.access_token = std::move(setup.access_token);
    rest.disconnect_when_empty = setup.disconnect_when_empty;
    rest.http.url = usable(protocol::realtime::rest_base(endpoint));
    rest.http.headers = setup.socket.headers;
    rest.http.tls = setup.socket.tls;
    rest.http.network = setup.socket.network;
    setup.socket.params_provider =
        params_with_token(hub_, {{"apikey", payload_argument(setup.api_key)}}, std::move(setup.socket.params),
                          std::move(setup.socket.params_provider));
    setup.socket.params.clear();
    socket_.reset(new Socket(loop, std::move(endpoint), std::move(setup.socket)));
    loop.core()->post([hub = hub_, socket = socket_->core(), rest = std::move(rest)]() mutable {
        if (socket->driver)
            socket->loop().add_member(std::make_shared<RealtimeDriver>(hub, socket, std::move(rest)));
    });
    socket_->on_state([hub = std::weak_ptr(hub_), core = socket_->core()](SocketState, SocketState to) {
        if (to != SocketState::idle && to != SocketState::closing) return;
        auto doubt = [hub] {
            const auto self = hub.lock();
            if (self && self->driver) self->driver->tokens().doubt_answer();
        };
        if (core->loop().on_loop_thread()) return doubt();
        core->loop().post(std::move(doubt));
    });
    socket_->on_heartbeat(
        [hub = std::weak_ptr(hub_), core = socket_->core()](HeartbeatStatus status, Micros) {
            if (status != HeartbeatStatus::sent) return;
            core->loop().post([hub] { // a handler may run elsewhere
                const auto self = hub.lock();
                if (self && self->driver) self->driver->tokens().refresh();
            });
        });
}

RealtimeClient::~RealtimeClient() {
    shell::LoopCore& loop = socket_->core()->loop();
    const bool is_here = loop.on_loop_thread();
    socket_.reset();
    auto end = [hub = hub_] {
        if (hub->driver) hub->driver->end();
    };
    if (is_here) {
        loop.post(std::move(end)); // behind the end of the socket
    } else if (!loop.call(std::move(end))) {
        for (const auto& channel : hub_->channels()) channel->end();
        hub_->clear();
    }
}

RealtimeChannel RealtimeClient::channel(std::string_view name, RealtimeChannelOptions options) {
    const std::string topic = protocol::realtime_topic(name);
    if (topic.size() == protocol::realtime_prefix.size())
        throw std::invalid_argument("a channel needs a name");
    const std::lock_guard lock(hub_->making);
    if (auto known = hub_->find(topic)) return RealtimeChannel(std::move(known));
    ChannelOptions below;
    below.max_buffered_messages = 100; // realtime-js MAX_PUSH_BUFFER_SIZE
    below.overflow = Overflow::drop_oldest;
    below.after_close = AfterClose::rejoin;
    const auto self = std::make_shared<std::weak_ptr<RealtimeCore>>();
    below.should_rejoin = [self](const Error& why) {
        const auto core = self->lock();
        return core && core->should_rejoin(why);
    };
    auto core = std::make_shared<RealtimeCore>(
        hub_, socket_->channel(topic, Json::object(), std::move(below)), std::move(options));
    *self = core;
    hub_->add(topic, core);
    core->socket().post([core](Driver* driver) {
        if (driver) core->attach(*driver);
    });
    return RealtimeChannel(std::move(core));
}

std::vector<RealtimeChannel> RealtimeClient::channels() const {
    std::vector<RealtimeChannel> all;
    for (auto& core : hub_->channels()) all.emplace_back(std::move(core));
    return all;
}

void RealtimeClient::remove_channel(const RealtimeChannel& channel) {
    const std::lock_guard lock(hub_->making);
    socket_->remove(channel.channel());
    hub_->remove(*channel.core());
}

void RealtimeClient::remove_all_channels() {
    for (const RealtimeChannel& channel : channels()) remove_channel(channel);
}

void RealtimeClient::set_auth(std::string token) {
    socket_->core()->loop().post([hub = hub_, token = std::move(token)]() mutable {
        if (hub->driver) hub->driver->tokens().set(std::move(token));
    });
}

Push RealtimeClient::http_send_ready(const std::vector<HttpMessage>& messages,
                                     std::optional<Millis> timeout) {
    std::vector<protocol::realtime::HttpBroadcastView> views;
    for (const HttpMessage& message : messages) {
        std::string_view name = message.channel;
        if (name.starts_with(protocol::realtime_prefix)) name.remove_prefix(protocol::realtime_prefix.size());
        views.push_back({name, message.event, message.json, message.is_private});
    }
    auto body = protocol::realtime::batch_body(views);
    if (!body) return failed_push(body.error());
    shell::HttpSender::Request request;
    request.target = protocol::realtime::batch_target;
    request.content_type = "application/json";
    request.body = *std::move(body);
    request.endpoint = protocol::realtime::BroadcastEndpoint::batch;
    auto state = std::make_shared<PushState>(socket_->core());
    socket_->core()->post([hub = hub_, pending = shell::PendingPush(state), request = std::move(request),
                           wait = timeout.value_or(hub_->timeout())](Driver* driver) mutable {
        if (driver && hub->driver) hub->driver->http_send(std::move(request), wait, pending.take());
    });
    return Push(std::move(state));
}

Push RealtimeClient::failed_push(Error error) {
    return shell::failed_push(socket_->core(), std::move(error));
}

void RealtimeClient::connect() { socket_->connect(); }
void RealtimeClient::disconnect() { socket_->disconnect(); }
Socket& RealtimeClient::socket() noexcept { return *socket_; }

} // namespace phx::realtime
