#include "src/client/driver.hpp"

#include "phx/protocol/endpoint.hpp"
#include "protocol/realtime/json_members.hpp"

#include <algorithm>
#include <utility>

// What handles post, and what the machine asks.
namespace phx::shell {
namespace {

bool may_close_with(std::uint16_t code) { return code == 1000 || (code >= 3000 && code <= 4999); }

std::string text_of(const protocol::Url& url, Transport transport) {
    std::string text = transport == Transport::websocket ? "ws" : "http";
    text += url.tls ? "s://" : "://";
    text += url.host_header();
    text += url.path;
    if (!url.query.empty()) text += '?' + url.query;
    return text;
}

protocol::ChannelConfig config_of(const ChannelOptions& options, const SocketSetup& setup) {
    protocol::ChannelConfig config;
    config.rejoin = backoff_of(options.rejoin ? *options.rejoin : setup.retry.rejoin);
    config.max_rejoins = options.max_rejoins;
    config.after_close = static_cast<protocol::AfterClose>(options.after_close);
    config.max_buffered_pushes = options.max_buffered_messages.value_or(setup.max_buffered_messages);
    config.max_buffered_bytes = options.max_buffered_bytes;
    config.overflow = static_cast<protocol::Overflow>(options.overflow);
    return config;
}

/// Nothing changes an answer like this but new rights, and those come with a join of the program.
bool is_unauthorized(const Error& error) {
    using namespace protocol::realtime;
    if (error.code != Errc::join_refused || !error.detail) return false;
    const auto value = json_member(error.detail->reply, "reason");
    const auto reason = value ? json_string(*value) : std::nullopt;
    return reason == "unauthorized";
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

/// Whoever finds a channel may be quicker than who made it: every command makes it known.
void Driver::add_channel(ChannelCore& channel) {
    if (channel.is_known || channel.is_removed) return;
    // Always asked for: a function may take the place of the given params at any time.
    channel.id = machine_.add_asking_channel(channel.topic(), config_of(channel.options, setup_));
    channel.is_known = true;
    channels_.emplace(channel.id, channel.shared_from_this());
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
    state->id = id;
    pushes_.emplace(id, state);
    core_->counters.pushes.add();
    core_->counters.pushes_waiting.set(pushes_.size());
    pump();
}

void Driver::join(ChannelCore& channel, const PushPtr& state, Duration timeout) {
    if (is_cancelled(*state)) return;
    add_channel(channel);
    if (!channel.is_known) return state->finish(fail(Errc::channel_closed, "the channel was removed").error);
    wait_for(machine_.join(loop_.now(), channel.id, timeout), state);
}

void Driver::leave(ChannelCore& channel, const PushPtr& state, Duration timeout) {
    if (is_cancelled(*state)) return;
    add_channel(channel);
    if (!channel.is_known) return state->finish(Reply("ok", Opcode::text, {}, Micros{0}), {});
    wait_for(machine_.leave(loop_.now(), channel.id, timeout), state);
}

void Driver::push(ChannelCore& channel, const PushPtr& state, const protocol::PushContent& content,
                  protocol::Expects expects, Duration timeout) {
    if (is_cancelled(*state)) return;
    add_channel(channel);
    if (!channel.is_known) return state->finish(fail(Errc::not_joined, "the channel was removed").error);
    wait_for(machine_.push(loop_.now(), channel.id, content, expects, timeout), state);
}

void Driver::send(ChannelCore& channel, std::string_view event, Opcode opcode, std::string_view payload) {
    add_channel(channel);
    if (!channel.is_known) return core_->report(fail(Errc::not_joined, "the channel was removed").error);
    const auto sent = machine_.send(loop_.now(), channel.id, event, opcode, payload);
    if (!sent) core_->report(sent.error());
    pump();
}

void Driver::ping(const PushPtr& state) {
    if (!is_cancelled(*state)) wait_for(machine_.ping(loop_.now()), state);
}

void Driver::cancel(PushState& state) {
    state.is_cancelled = true; // also if it overtook the push
    machine_.cancel(loop_.now(), state.id);
    pump();
    // The machine does not have it: a subscription, or a broadcast by HTTP.
    if (!pushes_.contains(state.id)) (void)is_cancelled(state);
}

bool Driver::is_cancelled(PushState& state) {
    if (state.is_cancelled) state.finish(fail(Errc::cancelled, "cancelled by this program").error);
    return state.is_cancelled;
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

/// `take` is called later, on the loop thread.
template <class T> void Driver::ask(Provider<T>& provider, void (Driver::*take)(Result<T>)) {
    Answer<T> answer([core = core_, take, session = session_](Result<T> value) {
        core->post([take, session, value = std::move(value)](Driver* driver) mutable {
            if (driver && driver->session_ == session) (driver->*take)(std::move(value));
        });
    });
    if (!core_->is_closed()) core_->guard([&] { provider.ask(std::move(answer)); });
}

void Driver::answer(const protocol::act::Prepare& question) {
    preparation_.conn = question.conn;
    if (!setup_.params_provider) {
        preparation_.params = setup_.params;
    } else if (!preparation_.params && !std::exchange(preparation_.asks_params, true)) {
        ask(setup_.params_provider, &Driver::take_params);
    }
    if (!setup_.auth_token) {
        preparation_.token = std::string();
    } else if (!preparation_.token && !std::exchange(preparation_.asks_token, true)) {
        ask(setup_.auth_token, &Driver::take_token);
    }
    finish_preparing();
}

void Driver::take_params(Result<std::vector<protocol::Param>> params) {
    preparation_.asks_params = false;
    preparation_.params = std::move(params);
    finish_preparing();
}

void Driver::take_token(Result<std::string> token) {
    preparation_.asks_token = false;
    preparation_.token = std::move(token);
    finish_preparing();
}

/// An answer that comes between two attempts is for the next one: else a provider that takes longer than an
/// attempt would never be heard.
void Driver::finish_preparing() {
    using protocol::SocketState;
    if (machine_.state() != SocketState::connecting || !preparation_.params || !preparation_.token) return;
    auto wanted = target();
    forget_answers();
    machine_.handle_prepared(loop_.now(), preparation_.conn, std::move(wanted));
    pump();
}

void Driver::forget_answers() {
    preparation_.params.reset();
    preparation_.token.reset();
}

Result<protocol::Target> Driver::target() {
    const auto& [conn, params, token, asks_params, asks_token] = preparation_;
    if (!*params) return Failure{params->error()};
    if (!*token) return Failure{token->error()};
    protocol::Target target;
    target.transport = choice_.next(loop_.now());
    const auto url = protocol::endpoint_url(endpoint_, **params, setup_.vsn, target.transport);
    if (!url) return Failure{url.error()};
    target.url = text_of(*url, target.transport);
    if (!(*token)->empty()) target.subprotocols = protocol::token_subprotocols(**token);
    const auto& further = setup_.subprotocols;
    for (auto one = further.begin(); one != further.end(); ++one) { // each once (RFC 6455 section 4.1)
        const bool is_there =
            (!(*token)->empty() && *one == "phoenix") || std::find(further.begin(), one, *one) != one;
        if (!is_there) target.subprotocols.append(target.subprotocols.empty() ? "" : ", ").append(*one);
    }
    return target;
}

void Driver::answer(const protocol::act::PrepareJoin& question) {
    if (ChannelCore* const channel = find(question.channel)) ask_params(*channel);
}

void Driver::ask_params(ChannelCore& channel) {
    if (!channel.params_provider) {
        machine_.handle_join_payload(loop_.now(), channel.id, channel.params);
        return;
    }
    channel.asks_params = true;
    const std::uint64_t number = channel.provider_number;
    Answer<std::string> answer(
        [core = core_, session = session_, id = channel.id, number](Result<std::string> json) {
            core->post([session, id, number, json = std::move(json)](Driver* driver) mutable {
                if (driver && driver->session_ == session)
                    driver->take_join_params(id, number, std::move(json));
            });
        });
    if (!core_->is_closed()) core_->guard([&] { channel.params_provider.ask(std::move(answer)); });
}

void Driver::take_join_params(protocol::ChannelId id, std::uint64_t number, Result<std::string> json) {
    ChannelCore* const channel = find(id);
    if (!channel || channel->provider_number != number) return;
    channel->asks_params = false;
    machine_.handle_join_payload(loop_.now(), id, std::move(json));
    pump();
}

/// A join that waits for the old one's answer takes the new one's.
void Driver::set_params(ChannelCore& channel, Provider<std::string> provider) {
    if (channel.is_removed) return;
    add_channel(channel);
    channel.params_provider = std::move(provider);
    ++channel.provider_number;
    if (!std::exchange(channel.asks_params, false)) return;
    ask_params(channel);
    pump();
}

bool Driver::allows(Function<bool(const Error&)>& predicate, const Error& why) {
    bool is_allowed = true;
    if (!core_->is_closed()) core_->guard([&] { is_allowed = predicate(why); });
    return is_allowed;
}

void Driver::answer(const ConfirmReconnect& question) {
    if (!allows(setup_.retry.should_reconnect, question.why)) machine_.give_up(loop_.now(), question.why);
}

void Driver::answer(const ConfirmRejoin& question) {
    ChannelCore* const channel = find(question.channel);
    if (!channel) return;
    auto& should_rejoin = channel->options.should_rejoin;
    const bool is_allowed =
        should_rejoin ? allows(should_rejoin, question.why) : !is_unauthorized(question.why);
    if (!is_allowed) machine_.give_up(loop_.now(), question.channel, question.why);
}

} // namespace phx::shell
