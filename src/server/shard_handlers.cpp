#include "phx/protocol/codec.hpp"
#include "protocol/auth/refusal_text.hpp"
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

} // namespace

template <class Handler>
bool Shard::run_handler(MemberId id, PatternId pattern, const char* name, Handler&& handler) {
    const auto member = machine_.member(id);
    const Transport* const transport = member ? find(member->session) : nullptr;
    if (!transport) return false;
    const phx::server::Context context{*transport->record(), member->topic, member->params, member->state, {},
                                       member->join_ref};
    std::string what;
    try {
        handler(context, handlers_[static_cast<std::size_t>(pattern)]);
        return true;
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no std::exception";
    }
    report(fail(Errc::handler_failed,
                std::string(name) + " of topic " + quoted(member->topic) + " threw: " + what)
               .error);
    return false;
}

template <class Handler>
void Shard::run_actions(MemberId id, PatternId pattern, phx::server::ReplyTo reply_to, const char* name,
                        Handler&& handler) {
    phx::server::Actions actions;
    const bool is_done =
        run_handler(id, pattern, name, [&](phx::server::Context context, const auto& handlers) {
            context.reply_to = reply_to;
            actions = handler(context, handlers);
        });
    if (is_done) {
        machine_.apply(loop_.now(), id, reply_to, actions);
    } else {
        machine_.crash(loop_.now(), id);
    }
}

void Shard::on(const event::JoinAsked& asked) {
    phx::server::JoinAnswer answer;
    const bool is_done =
        run_handler(asked.member, asked.pattern, "join", [&](const auto& context, const auto& handlers) {
            if (handlers.join) answer = handlers.join(context, asked.params);
        });
    if (!is_done) answer = phx::server::JoinAnswer::refuse(R"({"reason":"join crashed"})"); // as Phoenix
    machine_.answer_join(loop_.now(), asked.member, std::move(answer));
}

void Shard::on(const event::MessageIn& message) {
    run_actions(message.member, message.pattern, message.reply_to, "handle_in",
                [&](phx::server::Context context, const phx::server::Handlers& handlers) {
                    context.user_event = message.user_event;
                    if (!handlers.handle_in) throw std::logic_error("the channel has no handle_in");
                    return handlers.handle_in(context, message.event, message.payload);
                });
}

void Shard::on(const event::MessageOut& message) {
    run_actions(message.member, message.pattern, {}, "handle_out",
                [&](const phx::server::Context& context, const phx::server::Handlers& handlers) {
                    return handlers.handle_out(context, message.event, message.payload);
                });
}

void Shard::on(const event::InfoDue& due) {
    run_actions(due.member, due.pattern, {}, "handle_info",
                [&](const phx::server::Context& context, const phx::server::Handlers& handlers) {
                    return handlers.handle_info ? handlers.handle_info(context, due.info)
                                                : phx::server::Actions{};
                });
}

void Shard::on(const event::ResponseIn& response) {
    run_actions(response.member, response.pattern, {}, "handle_response",
                [&](const phx::server::Context& context, const phx::server::Handlers& handlers) {
                    return handlers.handle_response
                               ? handlers.handle_response(context, response.tag, *response.answer)
                               : phx::server::Actions{};
                });
}

/// Where nobody verifies tokens, a channel's means nothing: who the connection is decides.
TokenVerdict Shard::judge_token(MemberId id, std::string_view token) {
    TokenVerdict answer;
    const auto verifier = tokens_->get();
    if (!verifier) {
        const auto member = machine_.member(id);
        const Transport* const transport = member ? find(member->session) : nullptr;
        if (transport) answer.identity = transport->record();
        return answer;
    }
    auto verdict = verifier->verify(token, loop_.wall_clock());
    if (auto* const refusal = std::get_if<phx::server::TokenRefusal>(&verdict)) {
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
    machine_.answer_token(loop_.now(), asked.member, judge_token(asked.member, asked.token));
}

void Shard::on(const event::Ended& ended) {
    run_handler(ended.member, ended.pattern, "on_close", [](const auto& context, const auto& handlers) {
        if (handlers.on_close) handlers.on_close(context);
    });
}

} // namespace phx::shell
