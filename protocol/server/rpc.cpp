#include "protocol/wire/rpc.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

// Requests of the server to its clients: rpc:request goes out as a push, rpc:response comes as one.
namespace phx::protocol::server {
namespace {

Failure refused(const RpcResponse& response) {
    Failure failure = fail(Errc::rejected, "the client answered the request with an error", Origin::peer);
    ErrorDetail detail;
    detail.status = "error";
    detail.reply = std::string(response.body);
    failure.error.detail = std::make_shared<const ErrorDetail>(std::move(detail));
    return failure;
}

Result<Payload> answer_of(const RpcResponse& response) {
    if (response.status == RpcStatus::error) return refused(response);
    return Payload(PayloadView{response.kind, response.body});
}

/// The ids of this machine are decimal numbers; zero is none of them.
RequestId request_number(const RpcId& id) {
    std::string scratch;
    const std::string_view digits = rpc_id_text(id, scratch);
    std::uint64_t number = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc{} && stop == end ? RequestId{number} : RequestId{};
}

} // namespace

Result<void> ServerMachine::State::push_request(Session& session, const Membership& member, RequestId id,
                                                std::string_view method, PayloadView params) {
    const std::string digits = std::to_string(static_cast<std::uint64_t>(id));
    const std::string token = '"' + digits + '"';
    RpcRequest request;
    if (id != RequestId{}) request.id = {params.kind, params.binary() ? digits : token};
    request.method = method;
    request.kind = params.kind;
    request.params = params.data;
    std::string payload;
    if (auto built = build_rpc_request(request, payload); !built) return built;
    if (push(session, member, rpc_request_event, {params.kind, payload})) return {};
    return fail(Errc::invalid_payload,
                "the request has bytes, and its client speaks protocol version 1, which "
                "has no binary frames: send JSON");
}

Result<RequestId> ServerMachine::State::ask(TimePoint now, Session& session, Membership& member, Asker asker,
                                            std::string_view method, PayloadView params, Duration timeout) {
    if (member.requests.size() >= config.max_requests_per_channel) {
        note_hit(Limit::max_requests_per_channel);
        return fail(Errc::buffer_full, std::to_string(member.requests.size()) +
                                           " requests of the channel have no response yet: wait for them");
    }
    const RequestId id{last_request + 1};
    if (auto pushed = push_request(session, member, id, method, params); !pushed)
        return Failure{pushed.error()};
    ++last_request;
    const bool has_timeout = deadlines.push(after(now, std::max(Duration::zero(), timeout)),
                                            DeadlineKind::request, static_cast<std::uint64_t>(id));
    member.requests.push_back(id);
    requests.emplace(id, Request{member.id, has_timeout, std::move(asker)});
    return id;
}

void ServerMachine::State::take_response(Session& session, Membership& member, const FrameView& frame) {
    const auto response = read_rpc_response(frame.kind, frame.payload);
    if (!response) {
        out.push(event::FrameDropped{session.id, response.error()});
        return;
    }
    const RequestId id = request_number(response->id);
    const auto found = requests.find(id);
    if (found == requests.end() || found->second.member != member.id) {
        out.push(event::LateResponse{session.id});
        return;
    }
    finish_request(id, answer_of(*response));
}

void ServerMachine::State::finish_request(RequestId id, Result<Payload> answer) {
    auto node = requests.extract(id);
    Request& request = node.mapped();
    Membership& member = *members.find(request.member);
    std::erase(member.requests, id);
    if (request.has_timeout) add_dead(1);
    tell(member, id, request.asker, std::move(answer));
}

void ServerMachine::State::tell(Membership& member, RequestId id, const Asker& asker,
                                Result<Payload> answer) {
    auto shared = std::make_shared<const Result<Payload>>(std::move(answer));
    if (asker) return ask(member, {WaitingQuestion::Kind::response, *asker, {}, std::move(shared)});
    out.push(event::RequestFinished{id, std::move(shared)});
}

void ServerMachine::State::fail_requests(Membership& member, EndReason reason) {
    const bool is_lost = reason == EndReason::disconnected;
    while (!member.requests.empty()) {
        finish_request(member.requests.back(), fail(is_lost ? Errc::disconnected : Errc::channel_closed,
                                                    std::string(is_lost ? "the connection" : "the channel") +
                                                        " ended before the request was answered"));
    }
}

void ServerMachine::State::time_out(RequestId id) {
    requests.at(id).has_timeout = false; // it has left the heap
    finish_request(id, fail(Errc::timeout, "the client did not answer the request in time"));
}

void ServerMachine::State::act_request(TimePoint now, Session& session, Membership& member,
                                       const phx::server::action::Request& wanted) {
    const auto asked =
        ask(now, session, member, wanted.tag, wanted.method, wanted.params, Duration(wanted.timeout));
    if (!asked) tell(member, RequestId{}, wanted.tag, Failure{asked.error()});
}

Result<Membership*> ServerMachine::State::joined_member(std::string_view connection_id,
                                                        std::string_view topic) {
    const auto id = session_id(connection_id);
    Session* const session = id ? sessions.find(*id) : nullptr;
    Membership* const member =
        session != nullptr ? find_join(*session, text_hash(config.hash_seed, topic), topic) : nullptr;
    if (member != nullptr && member->phase == MemberPhase::joined) return member;
    return fail(Errc::not_joined, session != nullptr
                                      ? "the connection has not joined the topic of the request"
                                      : "no connection of this id is open, so that nobody can be asked");
}

// ---- commands

Result<RequestId> ServerMachine::request(TimePoint now, std::string_view connection_id,
                                         std::string_view topic, std::string_view method, PayloadView params,
                                         Duration timeout) {
    State& s = *state_;
    s.begin_call();
    const auto member = s.joined_member(connection_id, topic);
    if (!member) return Failure{member.error()};
    return s.ask(now, *s.sessions.find((*member)->session), **member, std::nullopt, method, params, timeout);
}

Result<void> ServerMachine::notify(TimePoint, std::string_view connection_id, std::string_view topic,
                                   std::string_view method, PayloadView params) {
    State& s = *state_;
    s.begin_call();
    const auto member = s.joined_member(connection_id, topic);
    if (!member) return Failure{member.error()};
    return s.push_request(*s.sessions.find((*member)->session), **member, RequestId{}, method, params);
}

} // namespace phx::protocol::server
