#include "src/realtime/realtime_hub.hpp"

#include "src/client/driver.hpp"
#include "src/client/duration.hpp"
#include "src/client/push_state.hpp"
#include "src/realtime/realtime_core.hpp"

#include <algorithm>
#include <utility>

namespace phx::shell {

std::shared_ptr<RealtimeCore> RealtimeHub::find(const std::string& topic) const {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(topic);
    return found == channels_.end() ? nullptr : found->second;
}

void RealtimeHub::add(const std::string& topic, std::shared_ptr<RealtimeCore> channel) {
    const std::lock_guard lock(mutex_);
    channels_.emplace(topic, std::move(channel));
}

void RealtimeHub::remove(const RealtimeCore& channel) {
    std::shared_ptr<RealtimeCore> removed; // dies without the lock
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(channel.channel().topic());
    if (found == channels_.end() || found->second.get() != &channel) return;
    removed = std::move(found->second);
    channels_.erase(found);
}

std::vector<std::shared_ptr<RealtimeCore>> RealtimeHub::channels() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<RealtimeCore>> all;
    for (const auto& [topic, channel] : channels_) all.push_back(channel);
    return all;
}

void RealtimeHub::clear() {
    decltype(channels_) all;
    const std::lock_guard lock(mutex_);
    all.swap(channels_);
}

RealtimeDriver::RealtimeDriver(std::shared_ptr<RealtimeHub> hub, std::shared_ptr<SocketCore> socket,
                               Setup setup)
    : loop_(socket->loop()), hub_(std::move(hub)), socket_(std::move(socket)),
      disconnect_when_empty_(setup.disconnect_when_empty),
      tokens_(std::make_shared<TokenKeeper>(socket_, std::move(setup.access_token),
                                            [this] {
                                                for (const auto& channel : hub_->channels())
                                                    channel->give_token();
                                            })),
      http_(loop_, std::move(setup.http), {},
            [this](Function<void(Result<HttpSender::Headers>)> told) { ask_credentials(std::move(told)); }),
      empty_(loop_, [this] { handle_empty(); }) {
    hub_->driver = this;
}

RealtimeDriver::~RealtimeDriver() = default;

void RealtimeDriver::channel_used(bool is_used) {
    is_used ? ++used_ : --used_;
    empty_.arm(used_ > 0 ? std::nullopt
                         : std::optional(protocol::after(loop_.now(), in_core(disconnect_when_empty_))));
}

void RealtimeDriver::handle_empty() {
    if (used_ == 0 && socket_->driver) socket_->driver->disconnect(1000, "no channel is subscribed");
}

void RealtimeDriver::http_send(HttpSender::Request request, Millis timeout, std::shared_ptr<PushState> push) {
    http_.send(std::move(request), std::max(timeout, Millis(1)), std::move(push));
}

void RealtimeDriver::ask_credentials(Function<void(Result<HttpSender::Headers>)> told) {
    tokens_->ask([this, told = std::move(told)](const Result<std::string>& token) mutable {
        if (!token) return told(Failure{token.error()});
        HttpSender::Headers headers = {{"apikey", hub_->api_key()}};
        if (!token->empty()) headers.emplace_back("Authorization", "Bearer " + *token);
        told(std::move(headers));
    });
}

void RealtimeDriver::end() {
    if (hub_->driver != this) return;
    hub_->driver = nullptr;
    empty_.arm({});
    tokens_->end();
    http_.close();
    for (const auto& channel : hub_->channels()) channel->end();
    hub_->clear();
    loop_.remove_member(*this);
}

} // namespace phx::shell
