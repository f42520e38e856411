#include "phx/protocol/codec.hpp"
#include "protocol/auth/refusal_text.hpp"
#include "protocol/server/publication.hpp"
#include "protocol/wire/utf8.hpp"
#include "src/server/shard.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

// The questions of the machine, which handlers answer.
namespace phx::shell {
namespace {

using namespace protocol::server;

/// Text of a peer, for a line of a log.
std::string quoted(std::string_view text) {
    constexpr std::size_t max_bytes = 100;
    std::string out;
    protocol::append_json_string(out, protocol::utf8_prefix(text, max_bytes));
    return out;
}

using phx::server::Actions;
using phx::server::Context;
using phx::server::Handlers;
using phx::server::JoinAnswer;
using phx::server::Payload;
using phx::server::Swap;

Swap wanted_swap(const Actions& actions) {
    Swap swap;
    for (const phx::server::Action& action : actions.list) {
        if (const auto* const update = std::get_if<phx::server::action::UpdateEntity>(&action))
            swap = Swap::store(update->value);
        if (std::holds_alternative<phx::server::action::EraseEntity>(action)) swap = Swap::erase();
    }
    return swap;
}

Swap wanted_swap(const JoinAnswer& answer) {
    return answer.verdict == JoinAnswer::Verdict::accept ? wanted_swap(answer.then) : Swap::keep();
}

} // namespace

struct Shard::Call {
    MemberId member;
    PatternId pattern;
    const char* name; // of the handler, for errors
    phx::server::ReplyTo reply_to = {};
    std::string_view user_event = {};
    const std::string* entity = nullptr;
    bool retried = false;
};

template <class Handler> bool Shard::run_handler(const Call& call, Handler&& handler) {
    const auto member = machine_.member(call.member);
    return member && run_handler(call, *member, std::forward<Handler>(handler));
}

template <class Handler>
bool Shard::run_handler(const Call& call, const ServerMachine::Member& member, Handler&& handler) {
    const Context context{*member.connection, member.topic,    member.params, member.state, call.reply_to,
                          member.join_ref,    call.user_event, call.entity,   call.retried};
    std::string what;
    try {
        handler(context, patterns_[static_cast<std::size_t>(call.pattern)].second);
        return true;
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no std::exception";
    }
    report(fail(Errc::handler_failed,
                std::string(call.name) + " of topic " + quoted(member.topic) + " threw: " + what)
               .error);
    return false;
}

template <class Answer, class Handler, class Apply> void Shard::run(Call call, Handler handler, Apply apply) {
    const auto member = machine_.member(call.member);
    if (!member) return;
    if (member->broker_key)
        return run_in_swap<Answer>(call, *member->broker_key, std::move(handler), std::move(apply));
    run_here<Answer>(call, *member, handler, apply);
}

template <class Answer, class Handler, class Apply>
void Shard::run_here(const Call& call, const ServerMachine::Member& member, Handler& handler, Apply& apply) {
    Answer answer;
    const bool is_done = run_handler(call, member, [&](const Context& context, const Handlers& handlers) {
        answer = handler(context, handlers);
        if (wanted_swap(answer).kind != Swap::Kind::keep)
            throw std::logic_error("update_entity() and erase_entity() need a broker_key");
    });
    if (!is_done) return machine_.crash(now(), call.member);
    apply(answer);
}

template <class Answer, class Handler, class Apply>
void Shard::run_in_swap(Call call, const std::string& key, Handler handler, Apply apply) {
    struct Run {
        Call call;
        Handler handler;
        Apply apply;
        Answer answer = {};
        bool is_done = false;
    };
    const auto run = std::make_shared<Run>(Run{call, std::move(handler), std::move(apply)});
    const std::string& pattern = patterns_[static_cast<std::size_t>(call.pattern)].first;
    ++pending_swaps_;
    broker_port_.node().update_entity(
        pattern, key,
        [this, run](const std::string* entity, bool retried) {
            run->call.entity = entity;
            run->call.retried = retried;
            run->is_done = run_handler(run->call, [&](const Context& context, const Handlers& handlers) {
                run->answer = run->handler(context, handlers);
            });
            return run->is_done ? wanted_swap(run->answer) : Swap::keep();
        },
        [this, run](const Result<void>& stored) {
            --pending_swaps_;
            if (!stored) {
                report(stored.error());
                machine_.crash(now(), run->call.member, broker_unavailable);
            } else if (!run->is_done) {
                machine_.crash(now(), run->call.member);
            } else {
                run->apply(run->answer);
            }
            pump();
            leave_if_done();
        });
}

void Shard::on(const event::JoinAsked& asked) {
    std::optional<std::string> key;
    const Call key_call{asked.member, asked.pattern, "broker_key"};
    const bool has_answered = run_handler(key_call, [&](const Context& context, const Handlers& handlers) {
        if (handlers.broker_key) key = handlers.broker_key(context);
    });
    if (!has_answered) return machine_.crash(now(), asked.member);
    if (key) machine_.set_broker_key(asked.member, *std::move(key));
    run<JoinAnswer>(
        {asked.member, asked.pattern, "join"},
        [params = asked.params](const Context& context, const Handlers& handlers) { // the member's own
            return handlers.join ? handlers.join(context, params) : JoinAnswer::ok();
        },
        [this, member = asked.member](JoinAnswer& answer) {
            machine_.answer_join(now(), member, std::move(answer));
        });
}

/// `call_handler(context, handlers, event, payload)`. A swap takes longer than the views of an output live.
template <class Message, class CallHandler>
void Shard::run_message(const Message& message, Call call, CallHandler call_handler) {
    const auto apply = [this, id = call.member, reply_to = call.reply_to](const Actions& actions) {
        machine_.apply(now(), id, reply_to, actions);
    };
    const auto member = machine_.member(call.member);
    if (!member) return;
    if (!member->broker_key) {
        const auto handler = [&](const Context& context, const Handlers& handlers) {
            return call_handler(context, handlers, message.event, message.payload);
        };
        return run_here<Actions>(call, *member, handler, apply);
    }
    const std::string user_event(std::exchange(call.user_event, {}));
    run<Actions>(
        call,
        [call_handler, user_event, event = std::string(message.event),
         payload = Payload(message.payload)](Context context, const Handlers& handlers) {
            context.user_event = user_event;
            return call_handler(context, handlers, event, payload);
        },
        apply);
}

void Shard::on(const event::MessageIn& message) {
    run_message(message, {message.member, message.pattern, "handle_in", message.reply_to, message.user_event},
                [](const Context& context, const Handlers& handlers, std::string_view event,
                   phx::server::PayloadView payload) {
                    if (!handlers.handle_in) throw std::logic_error("the channel has no handle_in");
                    return handlers.handle_in(context, event, payload);
                });
}

void Shard::on(const event::BrokerMessage& message) {
    run_message(
        message, {message.member, message.pattern, "handle_broker"},
        [](const Context& context, const Handlers& handlers, std::string_view event,
           phx::server::PayloadView payload) { return handlers.handle_broker(context, event, payload); });
}

void Shard::on(const event::FirstMessage& message) {
    run<JoinAnswer>(
        {message.member, message.pattern, "initial_authorisation", message.reply_to},
        [user_event = std::string(message.user_event), event = std::string(message.event),
         payload = Payload(message.payload)](Context context, const Handlers& handlers) {
            context.user_event = user_event;
            return handlers.initial_authorisation(context, event, payload);
        },
        [this, member = message.member, reply_to = message.reply_to](const JoinAnswer& answer) {
            machine_.answer_first(now(), member, reply_to, answer);
        });
}

/// Outside of swaps: it says what one client sees of a broadcast, and shares nothing.
void Shard::on(const event::MessageOut& message) {
    Actions actions;
    const bool is_done = run_handler({message.member, message.pattern, "handle_out"},
                                     [&](const Context& context, const Handlers& handlers) {
                                         actions =
                                             handlers.handle_out(context, message.event, message.payload);
                                     });
    if (!is_done) return machine_.crash(now(), message.member);
    machine_.apply(now(), message.member, {}, actions);
}

void Shard::on(const event::InfoDue& due) {
    run<Actions>(
        {due.member, due.pattern, "handle_info"},
        [info = due.info](const Context& context, const Handlers& handlers) {
            return handlers.handle_info ? handlers.handle_info(context, info) : Actions{};
        },
        [this, member = due.member](const Actions& actions) { machine_.apply(now(), member, {}, actions); });
}

void Shard::on(const event::ResponseIn& response) {
    run<Actions>(
        {response.member, response.pattern, "handle_response"},
        [tag = std::string(response.tag), answer = response.answer](const Context& context,
                                                                    const Handlers& handlers) {
            return handlers.handle_response ? handlers.handle_response(context, tag, *answer) : Actions{};
        },
        [this, member = response.member](const Actions& actions) {
            machine_.apply(now(), member, {}, actions);
        });
}

/// Where nobody verifies tokens, a channel's means nothing: who the connection is decides.
TokenVerdict Shard::judge_token(MemberId id, std::string_view token) {
    TokenVerdict answer;
    const auto verifier = tokens_->get();
    if (!verifier) {
        const auto member = machine_.member(id);
        const Transport* const transport = member ? find(member->session) : nullptr;
        if (!transport) return answer;
        answer.identity = transport->record();
        if (const auto end = transport->record()->expires_at) answer.expires_at = loop_time(*end);
        return answer;
    }
    auto verdict = verifier->verify(token, loop_.wall_clock());
    if (auto* const refusal = std::get_if<phx::server::TokenRefusal>(&verdict)) {
        counters_->refused_tokens.add();
        answer.join_reason = protocol::auth::supabase_join_reason(*refusal);
        answer.system_message = protocol::auth::supabase_system_message(*refusal);
        return answer;
    }
    auto identity = std::get<phx::server::Identity>(std::move(verdict));
    if (identity.expires_at) answer.expires_at = loop_time(*identity.expires_at);
    answer.identity = std::make_shared<const phx::server::Identity>(std::move(identity));
    return answer;
}

void Shard::on(const event::TokenAsked& asked) {
    machine_.answer_token(now(), asked.member, judge_token(asked.member, asked.token));
}

void Shard::on(const event::Ended& ended) {
    run<Actions>(
        {ended.member, ended.pattern, "on_close"},
        [](const Context& context, const Handlers& handlers) {
            return handlers.on_close ? handlers.on_close(context) : Actions{};
        },
        [this, member = ended.member](const Actions& actions) {
            machine_.apply_closed(now(), member, actions);
        });
}

void Shard::on(const act::RunEffect& effect) {
    const auto found = effects_.find(effect.name);
    std::string what;
    if (found == effects_.end()) {
        report(fail(Errc::invalid_argument,
                    "no effect is registered as " + quoted(effect.name) + "; see Server::effect()")
                   .error);
        return;
    }
    try {
        return found->second(effect.json);
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no std::exception";
    }
    report(fail(Errc::handler_failed, "the effect " + quoted(effect.name) + " threw: " + what).error);
}

} // namespace phx::shell
