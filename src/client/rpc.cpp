#include "phx/rpc.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/wire/utf8_sequence.hpp"
#include "src/client/driver.hpp"
#include "src/client/rpc_service.hpp"

#include <utility>

namespace phx {
namespace shell {
namespace {

using protocol::Opcode;

constexpr std::size_t max_waiting_answers = 100; // for the reply to one join

void report(ChannelCore& channel, Error error) {
    error.message = channel.topic() + ": " + error.message;
    channel.socket().report(std::move(error));
}

Error ended(Errc how) {
    const char* const what = how == Errc::disconnected ? "the connection was lost" : "the channel ended";
    return fail(how, std::string(what) + " before a request was answered; the response is dropped").error;
}

} // namespace

RpcCall::RpcCall(ChannelCore& channel, std::uint64_t join, const protocol::RpcRequest& request)
    : channel_(channel.shared_from_this()), join_(join), id_kind_(request.id.kind), id_(request.id.text),
      request_(std::string(request.method), std::string(request.params), request.kind,
               request.is_one_way() ? Request::Expects::nothing : Request::Expects::response) {}

void RpcCall::finish(Response response) {
    if (is_finished_.exchange(true) || request_.is_one_way()) return;
    RpcAnswer answer{join_, id_kind_, id_, std::move(response)};
    channel_->socket().post([channel = channel_, answer = std::move(answer)](Driver* driver) mutable {
        if (driver) channel->rpc.respond(*driver, *channel, std::move(answer));
    });
}

void RpcService::serve(const std::string& method, std::shared_ptr<Handlers::Slot> slot) {
    is_serving_ = true;
    Handlers& handlers = by_method_[method];
    handlers.clear();
    handlers.add(std::move(slot));
}

void RpcService::receive(ChannelCore& channel, const Message& message) {
    const protocol::FrameView& frame = message.frame();
    std::string scratch;
    const auto request = protocol::read_rpc_request(frame.kind, frame.payload, scratch);
    if (!request) return refuse(channel, message, request.error());
    const auto call = std::make_shared<RpcCall>(channel, join_, *request);
    const auto found = by_method_.find(request->method);
    if (found != by_method_.end()) found->second.sweep(); // off() takes effect at once
    if (found == by_method_.end() || found->second.empty())
        return call->finish(Response::refuse("unknown method"));
    channel.socket().notify(found->second, call);
}

void RpcService::refuse(ChannelCore& channel, const Message& message, Error why) {
    report(channel, std::move(why));
    protocol::RpcRequest request;
    request.id = protocol::rpc_request_id(message.frame().kind, message.frame().payload);
    RpcCall(channel, join_, request).finish(Response::refuse("malformed request"));
}

void RpcService::respond(Driver& driver, ChannelCore& channel, RpcAnswer answer) {
    if (answer.join != join_ || !channel.is_known) return report(channel, ended(end_));
    if (channel.state == ChannelState::joining) {
        if (waiting_.size() < max_waiting_answers) return waiting_.push_back(std::move(answer));
        return report(channel,
                      fail(Errc::buffer_full, "too many responses wait for the reply to the join").error);
    }
    auto sent = driver.respond(channel, answer);
    if (sent) return;
    report(channel, sent.error());
    answer.response = Response::refuse("handler failed"); // with what cannot be sent
    sent = driver.respond(channel, answer);
    if (!sent) report(channel, sent.error());
}

void RpcService::note_changed(ChannelState from, ChannelState to, bool is_connected) noexcept {
    const bool was_there = from == ChannelState::joining || from == ChannelState::joined;
    if (!was_there || to == ChannelState::joined) return;
    ++join_;
    end_ = is_connected ? Errc::channel_closed : Errc::disconnected;
}

void RpcService::retry_waiting(ChannelCore& channel) {
    for (RpcAnswer& answer : std::exchange(waiting_, {})) {
        channel.socket().post(
            [self = channel.shared_from_this(), answer = std::move(answer)](Driver* driver) mutable {
                if (driver) self->rpc.respond(*driver, *self, std::move(answer));
            });
    }
}

void RpcService::sweep() {
    for (auto& [method, handlers] : by_method_) handlers.sweep();
    std::erase_if(by_method_, [](const auto& entry) { return entry.second.empty(); });
}

void RpcService::clear() {
    by_method_.clear();
    waiting_.clear();
}

/// Now or not at all: nothing of it waits for a later join, as what send() takes does.
Result<void> Driver::respond(ChannelCore& channel, const RpcAnswer& answer) {
    const Response& response = answer.response;
    protocol::RpcResponse wire;
    wire.id = {answer.id_kind, answer.id};
    wire.status = response.is_ok() ? protocol::RpcStatus::ok : protocol::RpcStatus::error;
    wire.kind = response.binary() ? Opcode::binary : Opcode::text;
    wire.body = as_text(response.bytes());
    std::string payload;
    if (auto built = protocol::build_rpc_response(wire, payload); !built) return built;
    auto sent = machine_.send(loop_.now(), channel.id, protocol::rpc_response_event, wire.kind, payload);
    pump();
    return sent;
}

} // namespace shell

/// By hand, so that the library holds no code of nlohmann's.
Response Response::refuse(std::string_view reason) {
    std::string text;
    for (;;) {
        const std::size_t valid = protocol::wire::utf8_error(reason);
        text.append(reason.substr(0, valid));
        if (valid == reason.size()) break;
        text.append("\xEF\xBF\xBD"); // U+FFFD
        reason.remove_prefix(valid + 1);
    }
    std::string json = "{\"reason\":";
    protocol::append_json_string(json, text);
    return {Status::error, json + '}'};
}

HandlerId Channel::serve(std::string method, RequestHandler handler) {
    using Slot = shell::RpcService::Handlers::Slot;
    auto slot = std::make_shared<Slot>([handler = std::move(handler)](const shell::RpcCallPtr& call) mutable {
        try {
            handler(call->request(), Responder([call](Response response) { //
                        call->finish(std::move(response));
                    }));
        } catch (...) {
            call->finish(Response::refuse("handler failed")); // also if its Responder lives on
            throw;
        }
    });
    const HandlerId id = core_->socket().handlers.add(slot);
    core_->socket().post([channel = core_, method = std::move(method), slot](shell::Driver* driver) {
        if (driver && !channel->is_removed) channel->rpc.serve(method, slot);
    });
    return id;
}

} // namespace phx
