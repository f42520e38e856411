// Operation lists against the server machine: each input is a list of [operation, operand, length, bytes].
// Every output is carried out and every question answered, so that the views of outputs are read.
#include "protocol/server/server_machine.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace server = phx::protocol::server;
using phx::protocol::Opcode;
using phx::protocol::Vsn;

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    std::string bytes() {
        const std::size_t low = byte();
        const std::size_t high = byte() % 8u;
        const std::string text(rest_.substr(0, low + 256 * high));
        rest_.remove_prefix(text.size());
        return text;
    }

private:
    std::string_view rest_;
};

server::ServerConfig config() {
    using phx::server::Requirement;
    server::ServerConfig config;
    config.verifies_tokens = true;
    config.policies = {
        {.topic = "realtime:*", .join = Requirement{}, .write = Requirement{}, .presence = Requirement{}}};
    config.history = {phx::server::History{}};
    return config;
}

struct Target {
    server::ServerMachine machine{config()};
    phx::protocol::TimePoint now{};
    std::vector<server::SessionId> sessions;
    std::uint64_t checksum = 0;

    void read(std::string_view text) {
        for (const char c : text) checksum = checksum * 31 + static_cast<unsigned char>(c);
    }
    phx::server::Actions actions(std::string_view event, phx::server::PayloadView payload,
                                 server::ReplyTo to) {
        phx::server::Actions a;
        switch (event.size() % 8) {
        case 0: return a.ok(payload);
        case 1: return a.broadcast(event, payload);
        case 2: return a.track(std::string(event), std::string(payload.data)).presence_state();
        case 3: return a.push(event, payload).untrack(std::string(event));
        case 4: return a.after(std::chrono::seconds(1), std::string(payload.data)).state(std::string(event));
        case 5: return a.reply_to(to, event, payload).stop();
        case 6: return a.broadcast_from("intercepted", payload).error(payload);
        default: return a.stop(phx::server::StopReason::crash);
        }
    }
    void drain() {
        do {
            while (const auto output = machine.poll())
                std::visit([this](const auto& o) { carry_out(o); }, *output);
        } while (machine.handle_turn_end());
    }
    void carry_out(const server::act::Send& o) { read(o.data); }
    void carry_out(const server::act::Fanout& o) {
        for (const auto session : o.sessions) checksum += slot(session);
        read(o.data);
    }
    void carry_out(const server::act::Close& o) { read(o.reason); }
    void carry_out(const server::act::CloseIfIdle& o) { machine.handle_activity(now, o.session); }
    void carry_out(const server::event::JoinAsked& o) {
        read(o.params.data);
        auto answer = o.params.data.size() % 5 == 0 ? phx::server::JoinAnswer::refuse("{}")
                                                    : phx::server::JoinAnswer::ok(o.params);
        if (o.params.data.size() % 3 == 0) answer.delay = std::chrono::seconds(1);
        machine.answer_join(now, o.member, std::move(answer));
    }
    void carry_out(const server::event::MessageIn& o) {
        read(o.payload.data);
        machine.apply(now, o.member, o.reply_to, actions(o.event, o.payload, o.reply_to));
    }
    void carry_out(const server::event::MessageOut& o) {
        machine.apply(now, o.member, {}, phx::server::Actions().push(o.event, o.payload));
    }
    void carry_out(const server::event::ResponseIn& o) {
        machine.apply(now, o.member, {}, phx::server::Actions().push(o.tag));
    }
    void carry_out(const server::event::RequestFinished& o) {
        read(*o.answer ? (*o.answer)->data : o.answer->error().message);
    }
    void carry_out(const server::event::LateResponse& o) { checksum += slot(o.session); }
    void carry_out(const server::event::InfoDue& o) {
        machine.apply(now, o.member, {}, phx::server::Actions().push(o.info));
    }
    void carry_out(const server::event::Ended& o) { read(machine.member(o.member)->topic); }
    void carry_out(const server::event::TokenAsked& o) {
        read(o.token);
        server::TokenVerdict verdict{nullptr, {}, "no", "no"};
        if (o.token.size() % 3 != 0) verdict.identity = std::make_shared<const phx::server::Identity>();
        if (o.token.size() % 2 == 0) verdict.expires_at = now + std::chrono::seconds(o.token.size());
        machine.answer_token(now, o.member, std::move(verdict));
    }
    void carry_out(const server::event::FrameDropped& o) { read(o.error.message); }
    void carry_out(const server::RareOutput& o) {
        std::visit([this](const auto& rare) { carry_out(rare); }, o);
    }
    template <class Other> void carry_out(const Other&) {} // only with peers and traits

    void open(std::uint8_t flags) {
        server::SessionConfig config;
        config.vsn = flags & 1 ? Vsn::v1 : Vsn::v2;
        config.dialect = flags & 2 ? server::Dialect::supabase : server::Dialect::phoenix;
        if (flags & 4) config.record.socket_id = "user";
        sessions.push_back(machine.handle_open(now, config));
    }
    void command(std::uint8_t what, Input& input) {
        using phx::server::Route;
        const std::string target = input.bytes();
        const auto connection = machine.connection(sessions[what % sessions.size()]);
        const std::string id = connection ? connection->id : target;
        switch (what % 4) {
        case 0: return machine.disconnect(now, "user");
        case 1: machine.send(now, Route::topic(target), "news", {}); break;
        case 2: machine.send(now, Route::connection(id), "news", phx::server::Payload::binary("x")); break;
        default:
            if (!machine.request(now, id, target, "method", {}, std::chrono::seconds(1))) ++checksum;
        }
    }

    void change(Input& input) {
        phx::server::Change change;
        change.table = "t";
        change.record = "{\"a\":\"" + input.bytes() + "\"}";
        if (!machine.emit_change(now, std::move(change))) ++checksum; // such bytes are no JSON
    }
    void step(Input& input) {
        const std::uint8_t operation = input.byte(), operand = input.byte();
        if (sessions.empty() || operation % 8 == 0) return open(operand);
        const server::SessionId session = sessions[operand % sessions.size()];
        switch (operation % 8) {
        case 1: machine.handle_closed(now, session); break;
        case 2:
            now += std::chrono::milliseconds(100 * operand);
            machine.handle_timeout(now);
            break;
        case 3:
            machine.broadcast(now, input.bytes(), "intercepted", {});
            drain();
            change(input);
            break;
        case 4: command(operand, input); break;
        default: {
            const std::string frame = input.bytes();
            const std::vector<char> exact(frame.begin(), frame.end());
            machine.handle_frame(now, session, operation % 8 == 5 ? Opcode::binary : Opcode::text,
                                 {exact.data(), exact.size()});
            drain(); // the frame is borrowed until here
            break;
        }
        }
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    Target target;
    target.machine.add_channel("room:*", {"intercepted"});
    while (!input.empty() && target.sessions.size() < 32) {
        target.step(input);
        target.drain();
    }
    target.machine.close_all(target.now);
    target.drain();
    for (const server::SessionId session : target.sessions) {
        target.machine.handle_closed(target.now, session);
        target.drain();
    }
    if (target.machine.sessions() + target.machine.members() + target.machine.topics() != 0) __builtin_trap();
    return 0;
}
