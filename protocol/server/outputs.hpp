#pragma once

#include "phx/error.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"
#include "phx/server/actions.hpp"
#include "phx/server/history.hpp"
#include "protocol/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace phx::protocol::server {

using phx::server::Payload;
using phx::server::PayloadView;
using phx::server::ReplyTo;

/// A connection. Slots are reused, ids are not: the low 32 bits are a slot that the shell can index by.
enum class SessionId : std::uint64_t {};
constexpr std::uint32_t slot(SessionId id) noexcept { return static_cast<std::uint32_t>(id); }

/// One joined channel of one connection (a membership). Never reused.
enum class MemberId : std::uint64_t {};

/// A request of the server to a client. Never reused; zero is none.
enum class RequestId : std::uint64_t {};

/// A pattern given to add_channel().
enum class PatternId : std::uint32_t {};

/// One wish of this machine to hear of something at the broker. Never reused.
enum class SubscriptionId : std::uint64_t {};

enum class EndReason : std::uint8_t { left, stopped, crashed, replaced, disconnected };

/// Orders.
namespace act {
/// One frame to one connection.
struct Send {
    SessionId session;
    Opcode opcode;
    std::string_view data;
};
/// The same frame to many connections, in this order.
struct Fanout {
    std::span<const SessionId> sessions;
    Opcode opcode;
    std::string_view data;
};
struct Close {
    SessionId session;
    std::uint16_t code;
    std::string reason;
};
/// Nothing was received for the idle timeout: if the transport has seen bytes since `since` (a ping, which
/// libwebsockets answers by itself), say so with handle_activity(); otherwise close with `code`.
struct CloseIfIdle {
    SessionId session;
    TimePoint since;
    std::uint16_t code;
};
/// Answer with handle_subscribed() or handle_subscribe_failed().
struct Subscribe {
    SubscriptionId id;
    std::string_view ns;
    std::string_view key;
};
struct Unsubscribe {
    std::string_view ns;
    std::string_view key;
};
/// To the other nodes of the broker.
struct Publish {
    std::string_view ns;
    std::string_view key;
    std::string_view bytes;
    const phx::server::History* kept = nullptr; ///< null: by nobody
    std::int64_t unix_ms = 0;                   ///< of what is kept
};
/// Answer with handle_history() or handle_history_failed().
struct ReadHistory {
    MemberId member;
    std::string_view ns;
    std::string_view key;
    std::int64_t since_ms;
    std::size_t limit;
};
/// Who is present here, for the other nodes.
struct PutPresence {
    std::string_view ns;
    std::string_view key;
    std::string_view id;
    std::string_view value;
};
struct DropPresence {
    std::string_view ns;
    std::string_view key;
    std::string_view id;
};
/// Actions::effect.
struct RunEffect {
    std::string_view name;
    std::string_view json;
};
} // namespace act

/// Questions to the handlers, and news. A channel with a broker key is asked one question at a time, its end
/// too: the next one follows the answer.
namespace event {
/// Answer with answer_join(), before it with set_broker_key() if the channel has one.
struct JoinAsked {
    MemberId member;
    PatternId pattern;
    PayloadView params;
};
/// Answer with apply() or crash().
struct MessageIn {
    MemberId member;
    PatternId pattern;
    ReplyTo reply_to;
    std::string_view event;
    PayloadView payload;
    std::string_view user_event = {}; ///< Context::user_event
};
/// The first message of a channel that judges it: answer with answer_first() or crash().
struct FirstMessage {
    MemberId member;
    PatternId pattern;
    ReplyTo reply_to;
    std::string_view event;
    PayloadView payload;
    std::string_view user_event = {}; ///< Context::user_event
};
/// What another channel published: answer with apply() or crash().
struct BrokerMessage {
    MemberId member;
    PatternId pattern;
    std::string_view event;
    PayloadView payload;
};
/// A broadcast of an intercepted event, once per receiver: answer with apply() or crash().
struct MessageOut {
    MemberId member;
    PatternId pattern;
    std::string_view event;
    PayloadView payload;
};
/// Answer with apply() or crash().
struct InfoDue {
    MemberId member;
    PatternId pattern;
    std::string info;
};
/// What Actions::request asked is answered, or why not: answer with apply() or crash().
struct ResponseIn {
    MemberId member;
    PatternId pattern;
    std::string_view tag;
    std::shared_ptr<const Result<Payload>> answer;
};
/// What request() asked is answered, or why not; once for each.
struct RequestFinished {
    RequestId request;
    std::shared_ptr<const Result<Payload>> answer;
};
/// A response that no request waits for, or no longer.
struct LateResponse {
    SessionId session;
};
/// A membership of a channel with handlers ended; it can still be looked up until the next call, with a
/// broker key until the answer. Answer with apply_closed(). A join that was never accepted ends without it.
struct Ended {
    MemberId member;
    PatternId pattern;
    EndReason reason;
};
/// A token that a join or an access_token event came with: answer with answer_token().
struct TokenAsked {
    MemberId member;
    std::string_view token;
};
/// A frame of the peer that could not be read, or (Origin::local, buffer_full) that can no longer be
/// answered.
struct FrameDropped {
    SessionId session;
    Error error;
};
} // namespace event

/// What is rare, in one alternative of Output: libstdc++ moves a variant of more than eleven through a table
/// of functions, and every output would pay for that.
using RareOutput =
    std::variant<event::FirstMessage, event::BrokerMessage, event::ResponseIn, event::RequestFinished,
                 event::LateResponse, event::TokenAsked, act::Subscribe, act::Unsubscribe, act::Publish,
                 act::ReadHistory, act::PutPresence, act::DropPresence, act::RunEffect>;

using Output =
    std::variant<act::Send, act::Fanout, act::Close, act::CloseIfIdle, event::JoinAsked, event::MessageIn,
                 event::MessageOut, event::InfoDue, event::Ended, event::FrameDropped, RareOutput>;

} // namespace phx::protocol::server
