#include "src/client/driver.hpp"

#include "phx/protocol/endpoint.hpp"

#include <exception>
#include <utility>

// What handles post, and what the machine asks.
namespace phx::shell {
namespace {

bool may_close_with(std::uint16_t code) { return code == 1000 || (code >= 3000 && code <= 4999); }

std::string text_of(const protocol::Url& url) {
    std::string text = url.tls ? "wss://" : "ws://";
    text += url.host_header();
    text += url.path;
    if (!url.query.empty()) text += '?' + url.query;
    return text;
}

/// The value of a function of the user; what it throws is a failure of the attempt.
template <class T> struct Answer { using type = Result<T>; };
template <class T> struct Answer<Result<T>> { using type = Result<T>; };
template <class Provider>
auto ask(Provider& provider, const char* what) -> typename Answer<decltype(provider())>::type {
    std::string why;
    try {
        return provider();
    } catch (const std::exception& e) {
        why = e.what();
    } catch (...) {
        why = "it is no std::exception";
    }
    return fail(Errc::handler_failed, std::string("an exception left the function for ") + what + ": " + why);
}

} // namespace

void Driver::connect() {
    machine_.connect(loop_.now());
    pump();
}

void Driver::disconnect(std::uint16_t code, std::string_view reason) {
    machine_.disconnect(loop_.now(), may_close_with(code) ? code : std::uint16_t{1000}, reason);
    pump();
}

void Driver::reconnect_now() {
    machine_.reconnect_now(loop_.now());
    pump();
}

void Driver::add_channel(const ChannelPtr& channel, std::string params) {
    if (channel->is_removed) return;
    // Always asked for: a function may take the place of the given params at any time.
    channel->id = machine_.add_asking_channel(channel->topic());
    if (!channel->params_provider) {
        channel->params_provider = [params = std::move(params)]() -> Result<std::string> { return params; };
    }
    channel->is_known = true;
    channels_.emplace(channel->id, channel);
    pump();
}

void Driver::remove_channel(ChannelCore& channel) {
    channel.is_removed = true;
    if (!std::exchange(channel.is_known, false)) return;
    core_->forget(channel);
    machine_.remove_channel(loop_.now(), channel.id);
    removed_.push_back(channel.id);
    pump();
    channel.state = phx::ChannelState::closed;
}

void Driver::drop_removed() {
    for (const protocol::ChannelId id : std::exchange(removed_, {})) {
        const auto found = channels_.find(id);
        if (found == channels_.end()) continue;
        const ChannelPtr channel = std::move(found->second);
        channels_.erase(found);
        channel->clear_handlers();
    }
}

void Driver::wait_for(protocol::PushId id, const PushPtr& state) {
    pushes_.emplace(id, state);
    pump();
}

void Driver::join(ChannelCore& channel, const PushPtr& state, Duration timeout) {
    if (!channel.is_known) return state->finish(fail(Errc::channel_closed, "the channel was removed").error);
    wait_for(machine_.join(loop_.now(), channel.id, timeout), state);
}

void Driver::leave(ChannelCore& channel, const PushPtr& state, Duration timeout) {
    if (!channel.is_known) return state->finish(Reply("ok", Opcode::text, {}, Micros{0}), {});
    wait_for(machine_.leave(loop_.now(), channel.id, timeout), state);
}

void Driver::push(ChannelCore& channel, const PushPtr& state, std::string_view event, Opcode opcode,
                  std::string_view payload, Duration timeout) {
    if (!channel.is_known) return state->finish(fail(Errc::not_joined, "the channel was removed").error);
    wait_for(machine_.push(loop_.now(), channel.id, event, opcode, payload, timeout), state);
}

void Driver::send(ChannelCore& channel, std::string_view event, Opcode opcode, std::string_view payload) {
    if (!channel.is_known) return core_->report(fail(Errc::not_joined, "the channel was removed").error);
    const auto sent = machine_.send(loop_.now(), channel.id, event, opcode, payload);
    if (!sent) core_->report(sent.error());
    pump();
}

void Driver::ping(const PushPtr& state) { wait_for(machine_.ping(loop_.now()), state); }

void Driver::cancel(const PushState& state) {
    for (const auto& [id, waiting] : pushes_) {
        if (waiting.get() != &state) continue;
        machine_.cancel(loop_.now(), id);
        return pump();
    }
}

// ---- questions

bool Driver::answer_questions() {
    if (questions_.empty()) return false;
    const auto questions = std::exchange(questions_, {});
    for (const auto& question : questions) {
        std::visit([this](const auto& what) { answer(what); }, question);
        drain();
    }
    return true;
}

void Driver::answer(const protocol::act::Prepare& question) {
    machine_.handle_prepared(loop_.now(), question.conn, prepare_target());
}

Result<std::vector<protocol::Param>> Driver::current_params() {
    if (!setup_.params_provider) return setup_.params;
    return ask(setup_.params_provider, "the params");
}

Result<protocol::Target> Driver::prepare_target() {
    auto params = current_params();
    if (!params) return Failure{std::move(params).error()};
    const auto url = protocol::endpoint_url(endpoint_, *params, setup_.vsn);
    if (!url) return Failure{url.error()};
    protocol::Target target;
    target.url = text_of(*url);
    if (setup_.auth_token) {
        const auto token = ask(setup_.auth_token, "the token");
        if (!token) return Failure{token.error()};
        if (!token->empty()) target.subprotocols = protocol::token_subprotocols(*token);
    }
    return target;
}

void Driver::answer(const protocol::act::PrepareJoin& question) {
    ChannelCore* const channel = find(question.channel);
    if (!channel || !channel->params_provider) return;
    machine_.handle_join_payload(loop_.now(), question.channel,
                                 ask(channel->params_provider, "the params of a join"));
}

} // namespace phx::shell
