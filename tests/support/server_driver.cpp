#include "tests/support/server_driver.hpp"

#include "protocol/server/publication.hpp"

#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

namespace phx::test {

namespace act = server::act;
namespace event = server::event;

namespace {

std::string_view to_string(server::EndReason reason) {
    switch (reason) {
    case server::EndReason::left: return "left";
    case server::EndReason::stopped: return "stopped";
    case server::EndReason::crashed: return "crashed";
    case server::EndReason::replaced: return "replaced";
    case server::EndReason::disconnected: return "disconnected";
    }
    return "?";
}

std::string frame_text(protocol::Opcode opcode, std::string_view data) {
    return opcode == protocol::Opcode::text ? std::string(data) : to_hex(data);
}

std::string answer_text(const Result<phx::server::Payload>& answer) {
    if (answer) return "ok " + frame_text(answer->kind, answer->data);
    const auto& detail = answer.error().detail;
    return answer.error().code.message() + (detail ? " " + detail->reply : "");
}

template <class T> const T* rare(const server::Output& output) {
    const auto* const found = std::get_if<server::RareOutput>(&output);
    return found != nullptr ? std::get_if<T>(found) : nullptr;
}

std::string seconds(protocol::TimePoint t) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count());
}

} // namespace

ServerDriver::ServerDriver(server::ServerConfig config) : machine(std::move(config)) {}

void ServerDriver::open(const std::string& peer, protocol::Vsn vsn, server::Dialect dialect,
                        std::string socket_id, phx::server::Identity identity) {
    server::SessionConfig config;
    config.vsn = vsn;
    config.dialect = dialect;
    static_cast<phx::server::Identity&>(config.record) = std::move(identity);
    config.record.socket_id = std::move(socket_id);
    open(peer, std::move(config));
}

void ServerDriver::open(const std::string& peer, server::SessionConfig config) {
    const server::SessionId session = machine.handle_open(now, std::move(config));
    ids_[peer] = session;
    names_[session] = peer;
    drain();
}

void ServerDriver::close(const std::string& peer) {
    machine.handle_closed(now, ids_.at(peer));
    drain();
}

void ServerDriver::text(const std::string& peer, std::string_view data) {
    // A copy of exactly this size: a sanitizer then sees a read past the end.
    const std::vector<char> frame(data.begin(), data.end());
    machine.handle_frame(now, ids_.at(peer), protocol::Opcode::text, {frame.data(), frame.size()});
    drain();
}

void ServerDriver::binary(const std::string& peer, std::string_view hex) {
    const std::string frame = from_hex(hex);
    machine.handle_frame(now, ids_.at(peer), protocol::Opcode::binary, frame);
    drain();
}

void ServerDriver::activity(const std::string& peer) { machine.handle_activity(now, ids_.at(peer)); }

void ServerDriver::advance(protocol::Duration by) {
    const protocol::TimePoint end = now + by;
    while (machine.next_timeout() && *machine.next_timeout() <= end) {
        now = *machine.next_timeout();
        machine.handle_timeout(now);
        drain();
    }
    now = end;
}

std::vector<std::string> ServerDriver::lines() { return std::exchange(lines_, {}); }

void ServerDriver::answer(server::MemberId member, server::ReplyTo to, phx::server::Actions actions) {
    if (std::exchange(threw, false)) return machine.crash(now, member);
    machine.apply(now, member, to, std::move(actions));
}

void ServerDriver::drain() {
    do {
        drain_once();
    } while (ends_turns && machine.handle_turn_end());
}

void ServerDriver::drain_once() {
    while (const auto output = machine.poll()) {
        log(*output);
        if (const auto* join = std::get_if<event::JoinAsked>(&*output)) {
            asked = {join->member, {}};
            const auto member = machine.member(join->member);
            if (key_of)
                if (auto key = key_of(member->topic)) machine.set_broker_key(join->member, *std::move(key));
            auto verdict = on_join ? on_join(member->topic, join->params) : phx::server::JoinAnswer::ok();
            if (std::exchange(threw, false)) {
                machine.crash(now, join->member);
            } else {
                machine.answer_join(now, join->member, std::move(verdict));
            }
        } else if (const auto* in = std::get_if<event::MessageIn>(&*output)) {
            asked = {in->member, in->reply_to};
            if (on_message)
                answer(in->member, in->reply_to, on_message(in->reply_to, in->event, in->payload));
        } else if (const auto* message = std::get_if<event::MessageOut>(&*output)) {
            if (on_out) answer(message->member, {}, on_out(message->event, message->payload));
        } else if (const auto* info = std::get_if<event::InfoDue>(&*output)) {
            asked = {info->member, {}};
            if (on_info) answer(info->member, {}, on_info(info->info));
        } else if (const auto* response = rare<event::ResponseIn>(*output)) {
            asked = {response->member, {}};
            if (on_response) answer(response->member, {}, on_response(response->tag, *response->answer));
        } else if (const auto* token = rare<event::TokenAsked>(*output)) {
            if (on_token) machine.answer_token(now, token->member, on_token(token->token));
        } else if (const auto* first = rare<event::FirstMessage>(*output)) {
            asked = {first->member, first->reply_to};
            if (on_first)
                machine.answer_first(now, first->member, first->reply_to,
                                     on_first(first->event, first->payload));
        } else if (const auto* published = rare<event::BrokerMessage>(*output)) {
            asked = {published->member, {}};
            if (on_broker) answer(published->member, {}, on_broker(published->event, published->payload));
        } else if (const auto* ended = std::get_if<event::Ended>(&*output)) {
            asked = {ended->member, {}};
            const std::string topic(machine.member(ended->member)->topic);
            if (on_close) machine.apply_closed(now, ended->member, on_close(topic));
        }
    }
}

std::string ServerDriver::name(server::SessionId session) const {
    const auto found = names_.find(session);
    return found != names_.end() ? found->second : "?";
}

template <class T> void ServerDriver::log_one(const T& o) {
    if constexpr (std::is_same_v<T, act::Send>) {
        lines_.push_back(name(o.session) + " < " + frame_text(o.opcode, o.data));
    } else if constexpr (std::is_same_v<T, act::Fanout>) {
        std::string names;
        for (const server::SessionId session : o.sessions)
            names.append(names.empty() ? "" : ",").append(name(session));
        lines_.push_back(names + " < " + frame_text(o.opcode, o.data));
    } else if constexpr (std::is_same_v<T, act::Close>) {
        lines_.push_back(name(o.session) + " close " + std::to_string(o.code) +
                         (o.reason.empty() ? "" : " " + o.reason));
    } else if constexpr (std::is_same_v<T, act::CloseIfIdle>) {
        lines_.push_back(name(o.session) + " idle since " + seconds(o.since) + " s close " +
                         std::to_string(o.code));
    } else if constexpr (std::is_same_v<T, event::FrameDropped>) {
        lines_.push_back(name(o.session) + " dropped " + o.error.code.message());
    } else if constexpr (std::is_same_v<T, event::Ended>) {
        lines_.push_back(std::string(machine.member(o.member)->topic) + " ended " +
                         std::string(to_string(o.reason)));
    } else if constexpr (std::is_same_v<T, event::RequestFinished>) {
        lines_.push_back("request " + std::to_string(static_cast<std::uint64_t>(o.request)) + " " +
                         answer_text(*o.answer));
    } else if constexpr (std::is_same_v<T, event::LateResponse>) {
        lines_.push_back(name(o.session) + " late response");
    } else if constexpr (std::is_same_v<T, act::Subscribe>) {
        subscription = o.id;
        lines_.push_back("subscribe " + std::string(o.ns) + " " + std::string(o.key));
    } else if constexpr (std::is_same_v<T, act::Unsubscribe>) {
        lines_.push_back("unsubscribe " + std::string(o.ns) + " " + std::string(o.key));
    } else if constexpr (std::is_same_v<T, act::Publish>) {
        const auto told = server::read_publication(o.bytes);
        lines_.push_back((o.kept ? "keep " : "publish ") + std::string(o.ns) + " " + std::string(o.key) +
                         " " + std::string(told->event) + std::string(told->target) + " " +
                         std::string(told->payload));
    } else if constexpr (std::is_same_v<T, act::ReadHistory>) {
        reader = o.member;
        lines_.push_back("read " + std::string(o.ns) + " " + std::string(o.key) + " since " +
                         std::to_string(o.since_ms) + " limit " + std::to_string(o.limit));
    } else if constexpr (std::is_same_v<T, act::PutPresence>) {
        lines_.push_back("put " + std::string(o.key) + " " + std::string(o.id));
    } else if constexpr (std::is_same_v<T, act::DropPresence>) {
        lines_.push_back("drop " + std::string(o.key) + " " + std::string(o.id));
    } else if constexpr (std::is_same_v<T, server::RareOutput>) {
        std::visit([this](const auto& rare) { this->log_one(rare); }, o);
    } else if constexpr (std::is_same_v<T, act::RunEffect>) {
        lines_.push_back("effect " + std::string(o.name) + " " + std::string(o.json));
    }
}

void ServerDriver::log(const server::Output& output) {
    std::visit([this](const auto& o) { log_one(o); }, output);
}

} // namespace phx::test
