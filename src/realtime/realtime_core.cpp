#include "src/realtime/realtime_core.hpp"

#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/postgres.hpp"
#include "src/client/driver.hpp"
#include "src/realtime/realtime_hub.hpp"

#include <algorithm>
#include <utility>

namespace phx::shell {
namespace {

using realtime::Reason;
using realtime::SubscribeStatus;

std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

std::optional<Reason> reason_in(const Error& error) {
    if (error.code.category() != realtime::reason_category()) return {};
    return static_cast<Reason>(error.code.value());
}

constexpr int most_replayed = 25; // the server's limit

std::int64_t in_unix_ms(std::chrono::system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

} // namespace

std::optional<std::string> refusal_text(const Error& error) {
    if (!error.detail) return {};
    using namespace protocol::realtime;
    const std::string_view reply = error.detail->reply;
    return json_string(json_member(reply, "reason").value_or(reply));
}

RealtimeCore::RealtimeCore(std::shared_ptr<RealtimeHub> hub, Channel channel,
                           realtime::RealtimeChannelOptions options)
    : hub_(std::move(hub)), channel_(std::move(channel)), options_(std::move(options)) {
    if (options_.presence) make_presence();
}

RealtimeCore::~RealtimeCore() = default;

void RealtimeCore::attach(Driver& driver) {
    if (channel_.core()->is_removed) return; // by a thread that was quicker
    channel_.core()->observer = shared_from_this();
    driver.set_params(*channel_.core(), [weak = weak_from_this()](Answer<std::string> answer) {
        const auto self = weak.lock();
        RealtimeDriver* const realtime = self ? self->hub_->driver : nullptr;
        if (!realtime) return answer(Failure{SocketCore::closed_error()});
        realtime->tokens().ask([weak, answer = std::move(answer)](const Result<std::string>& token) mutable {
            const auto core = weak.lock();
            if (!core) return answer(Failure{SocketCore::closed_error()});
            if (!token) return answer(Failure{token.error()});
            core->given_token_ = *token;
            std::optional<std::string_view> given;
            if (!token->empty()) given = *token;
            answer(protocol::join_payload(core->config(), given));
        });
    });
}

protocol::JoinConfig RealtimeCore::config() {
    protocol::JoinConfig config;
    config.broadcast_self = options_.broadcast_self;
    config.broadcast_ack = options_.broadcast_ack;
    config.is_private = options_.is_private;
    config.presence_enabled = presence() != nullptr;
    is_without_presence_ = !config.presence_enabled;
    config.presence_key = options_.presence_key;
    std::erase_if(bindings_, [](const auto& binding) { return binding->handlers.empty(); });
    for (const auto& binding : bindings_) config.postgres_changes.push_back(binding->asked);
    if (!options_.is_private || !may_replay_) return config;
    if (!was_joined_ && options_.replay) {
        config.replay_since_ms = in_unix_ms(options_.replay->since);
        config.replay_limit = options_.replay->limit;
    } else if (was_joined_ && options_.replay_missed) {
        config.replay_since_ms = window_.since();
        config.replay_limit = most_replayed;
    }
    return config;
}

// ---- handlers

Presence& RealtimeCore::make_presence() {
    const std::lock_guard lock(mutex_);
    if (!made_presence_) {
        made_presence_ = std::make_unique<Presence>(channel_);
        presence_.store(made_presence_.get(), std::memory_order_release);
    }
    return *made_presence_;
}

Presence& RealtimeCore::want_presence() {
    if (Presence* const wanted = presence()) return *wanted;
    Presence& made = make_presence();
    socket().post([core = shared_from_this()](Driver*) { core->check_presence(); });
    return made;
}

void RealtimeCore::check_presence() {
    const ChannelState state = channel_.state();
    const bool is_under_way = state == ChannelState::joining || state == ChannelState::joined;
    if (!is_under_way || !is_without_presence_) return;
    report(fail(Errc::invalid_argument,
                "the server sends presence from the next join on: add a handler of it before subscribe(), or "
                "set RealtimeChannelOptions::presence")
               .error);
}

void RealtimeCore::keep(HandlerId id, std::shared_ptr<void> handler, HandlerId other) {
    const std::lock_guard lock(mutex_);
    if (!has_ended_) kept_.emplace(id.value, Kept{std::move(handler), other});
}

HandlerId RealtimeCore::let_go(HandlerId id) {
    decltype(kept_)::node_type node; // dies without the lock
    const std::lock_guard lock(mutex_);
    node = kept_.extract(id.value);
    return node.empty() ? HandlerId{} : node.mapped().other;
}

RealtimeCore::BroadcastHandlers& RealtimeCore::broadcast_handlers(std::string_view event) {
    return broadcasts_[lower(event)];
}

RealtimeCore::Binding* RealtimeCore::binding(const realtime::PostgresFilter& filter) {
    protocol::PostgresBinding asked = to_binding(filter);
    for (const auto& known : bindings_) {
        if (known->asked == asked) return known.get();
    }
    if (channel_.state() != ChannelState::closed) return nullptr; // the join has told the server
    bindings_.push_back(std::make_unique<Binding>());
    bindings_.back()->asked = std::move(asked);
    bindings_.back()->kind = filter.kind;
    return bindings_.back().get();
}

void RealtimeCore::sweep() {
    for (auto& [event, handlers] : broadcasts_) handlers.sweep();
    std::erase_if(broadcasts_, [](const auto& entry) { return entry.second.empty(); });
    for (const auto& binding : bindings_) binding->handlers.sweep();
    systems.sweep();
    gaps.sweep();
    statuses.sweep();
}

// ---- subscribing

void RealtimeCore::subscribe(Driver& driver, std::shared_ptr<PushState> push, Duration timeout) {
    const ChannelState state = channel_.state();
    if (state == ChannelState::joined) return push->finish(Reply("ok", Opcode::text, "{}", Micros{0}), {});
    if (push->is_cancelled) return;
    const bool is_under_way = state == ChannelState::joining || state == ChannelState::errored;
    if (!is_under_way) set_tracked({}, nullptr);
    // Behind an unsubscribe() the end of the old subscription is still to be told: it is not about this one.
    (is_under_way && asking_next_.empty() ? asking_ : asking_next_).push_back(std::move(push));
    driver.connect();
    if (is_under_way) return; // it goes on by itself
    auto join = std::make_shared<PushState>(channel_.core()->shared_socket());
    PushState::Observer refused;
    refused.where = PushState::Observer::Where::at_once;
    refused.then = [self = shared_from_this()](const Result<Reply>& result) {
        // What never got as far as joining changes no state.
        if (result || self->channel_.state() != ChannelState::closed) return;
        self->ask_now();
        self->finish_asking(result.error());
    };
    join->observe(std::move(refused));
    driver.join(*channel_.core(), join, timeout);
}

void RealtimeCore::ask_now() {
    for (auto& push : std::exchange(asking_next_, {})) asking_.push_back(std::move(push));
}

void RealtimeCore::finish_asking(const std::optional<Error>& error) {
    for (const auto& push : std::exchange(asking_, {})) {
        if (error) {
            push->finish(*error);
        } else {
            push->finish(Reply("ok", Opcode::text, "{}", Micros{0}), {});
        }
    }
}

void RealtimeCore::tell(SubscribeStatus status, const Error* why) { socket().notify(statuses, status, why); }

void RealtimeCore::channel_joined(const Reply& reply) {
    std::vector<protocol::PostgresBinding> asked;
    for (const auto& binding : bindings_) asked.push_back(binding->asked);
    const auto ids = protocol::realtime::read_binding_ids(asked, reply.text());
    if (!ids) {
        tell(SubscribeStatus::channel_error, &ids.error());
        finish_asking(ids.error());
        channel_.leave(); // nothing would reach the handlers
        return;
    }
    for (std::size_t i = 0; i < bindings_.size(); ++i) bindings_[i]->id = (*ids)[i];
    end_.reset();
    was_joined_ = true;
    const auto waiting_track = std::exchange(waiting_track_, {});
    const bool is_on_its_way = waiting_track && !waiting_track->is_finished();
    if (tracked_ && !is_on_its_way)
        (void)channel_.send("presence", protocol::presence_track_payload(*tracked_));
    window_.note_alive(socket().loop().wall_clock());
    may_replay_ = true;
    // Also where a replay follows: that has messages of the database alone, and not more than 25.
    if (const auto missed = std::exchange(missed_, {})) socket().notify(gaps, *missed);
    tell(SubscribeStatus::subscribed, nullptr);
    finish_asking({});
    give_token(); // one that came while the join was out
}

void RealtimeCore::set_tracked(std::optional<std::string> meta, const std::shared_ptr<PushState>& push) {
    const ChannelState state = channel_.state();
    tracked_.reset();
    waiting_track_.reset();
    if (state == ChannelState::closed || state == ChannelState::leaving) return; // the push fails
    tracked_ = std::move(meta);
    if (tracked_ && state != ChannelState::joined) waiting_track_ = push;
}

void RealtimeCore::channel_missed(Millis offline) { missed_ = offline; }

void RealtimeCore::channel_changed(ChannelState from, ChannelState to, const Error* why) {
    const bool is_used = to != ChannelState::closed;
    if (is_used_ != is_used && hub_->driver) hub_->driver->channel_used(is_used);
    is_used_ = is_used;
    if (to == ChannelState::joining) {
        is_without_presence_ = false; // config() says
        ask_now();
    }
    if (to == ChannelState::closed) {
        const std::optional<Error> error = why ? std::optional(explained(*why)) : std::nullopt;
        was_joined_ = false;
        may_replay_ = true;
        window_ = {};
        missed_.reset();
        tell(SubscribeStatus::closed, error ? &*error : nullptr);
        finish_asking(error ? *error : fail(Errc::channel_closed, "the channel was left").error);
        end_.reset();
    } else if (to == ChannelState::errored && why) {
        const Error error = explained(*why);
        const auto reason = reason_in(error);
        if (reason == Reason::unable_to_replay_messages)
            may_replay_ = false; // better without than not at all
        const bool is_late = error.code == Errc::timeout && from == ChannelState::joining;
        tell(is_late ? SubscribeStatus::timed_out : SubscribeStatus::channel_error, &error);
        finish_asking(error);
    }
}

/// With Supabase's reason as its code, where there is one.
Error RealtimeCore::explained(const Error& error) const {
    Error better = error;
    if (error.code == Errc::join_refused) {
        const auto text = refusal_text(error);
        if (!text) return better;
        better.message = *text;
        if (const auto reason = realtime::reason_of_refusal(*text)) better.code = *reason;
    } else if (error.code == Errc::channel_closed && end_) {
        better.message = end_->message;
        if (const auto reason = end_->reason()) better.code = *reason;
    }
    return better;
}

bool RealtimeCore::should_rejoin(const Error& error) {
    const Error why = explained(error);
    if (options_.should_resubscribe) return options_.should_resubscribe(why);
    if (why.code == Errc::binding_mismatch) return false;
    const auto reason = reason_in(why);
    if (!reason) return true;
    if (*reason == Reason::unable_to_replay_messages) return was_joined_ || !options_.replay;
    if (realtime::needs_new_token(*reason)) return hub_->driver && hub_->driver->tokens().has_provider();
    return realtime::is_temporary(*reason) || *reason == Reason::unknown_error_on_channel ||
           *reason == Reason::join_crashed;
}

// ---- tokens

void RealtimeCore::give_token() {
    if (channel_.state() != ChannelState::joined || !hub_->driver) return;
    const std::string& token = hub_->driver->tokens().current();
    if (token.empty() || given_token_ == token) return;
    given_token_ = token;
    (void)channel_.send("access_token", protocol::access_token_payload(token));
}

// ---- messages

void RealtimeCore::channel_received(const Message& message) {
    switch (message.kind()) {
    case EventKind::broadcast: return receive_broadcast(message);
    case EventKind::postgres_changes: return receive_change(message);
    case EventKind::system: return receive_system(message);
    default: return;
    }
}

void RealtimeCore::receive_broadcast(const Message& message) {
    const auto broadcast = realtime::Broadcast::read(message, scratch_);
    if (!broadcast) return report(broadcast.error());
    if (options_.is_private) {
        window_.note_alive(socket().loop().wall_clock());
        const bool is_known = !broadcast->meta().empty() && !window_.note_message(broadcast->id());
        if (is_known && broadcast->is_replayed()) return; // it came before the loss
    }
    if (broadcasts_.empty()) return;
    const auto found = broadcasts_.find(lower(broadcast->event()));
    if (found != broadcasts_.end()) socket().notify(found->second, *broadcast);
    const auto any = broadcasts_.find("*");
    if (any != broadcasts_.end() && any != found) socket().notify(any->second, *broadcast);
}

void RealtimeCore::receive_change(const Message& message) {
    if (bindings_.empty()) return;
    auto event = protocol::realtime::read_postgres_event(message.text(), options_.numbers);
    if (!event) return report(event.error());
    const realtime::PostgresChange change(std::move(event->change));
    bool is_claimed = false;
    for (const auto& binding : bindings_) {
        if (std::find(event->ids.begin(), event->ids.end(), binding->id) == event->ids.end()) continue;
        if (!realtime::matches(binding->kind, change.kind())) continue;
        is_claimed = true;
        socket().notify(binding->handlers, change);
    }
    if (!is_claimed) {
        report(fail(Errc::invalid_payload, "a change of the database for none of the subscriptions",
                    Origin::peer)
                   .error);
    }
}

void RealtimeCore::receive_system(const Message& message) {
    const auto system = realtime::SystemMessage::parse(message.text());
    if (!system) return report(system.error());
    if (system->ends_channel()) end_ = *system;
    socket().notify(systems, *system);
}

void RealtimeCore::report(Error error) {
    error.message = channel_.topic() + ": " + error.message;
    socket().report(std::move(error));
}

// ---- the end

void RealtimeCore::end() {
    ask_now();
    finish_asking(SocketCore::closed_error());
    options_.should_resubscribe = nullptr;
    tracked_.reset();
    waiting_track_.reset();
    broadcasts_.clear();
    bindings_.clear();
    systems.clear();
    gaps.clear();
    statuses.clear();
    decltype(kept_) kept; // dies without the lock
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    kept.swap(kept_);
}

} // namespace phx::shell
