// Question: what does the server cost without its sockets: a push and its reply, a broadcast and what each of
// its receivers adds, a join and leave, the presence of one more?
// Input: text frames of protocol version 2 with 200 B of payload, handlers that answer at once. Unit: one
// such operation with all its outputs; of a fan-out also one delivery.
#include "protocol/server/server_machine.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <variant>
#include <vector>

namespace {

using namespace phx::protocol;
using namespace phx::protocol::server;
using phx::server::Actions;
using phx::server::JoinAnswer;

const std::string payload = R"({"body":")" + std::string(189, 'x') + "\"}";

/// A machine with its shell: sends to nobody, and answers as an application would.
class Application {
public:
    Application() { machine_.add_channel("room:*"); }

    SessionId open() {
        const SessionId session = machine_.handle_open(now_, {});
        drain();
        return session;
    }
    std::vector<SessionId> open_many(std::int64_t count, const std::string& join) {
        std::vector<SessionId> sessions;
        for (std::int64_t i = 0; i < count; ++i) {
            sessions.push_back(open());
            take(sessions.back(), join);
        }
        return sessions;
    }
    void take(SessionId session, const std::string& frame) {
        machine_.handle_frame(now_, session, Opcode::text, frame);
        drain();
    }
    void close(SessionId session) {
        machine_.handle_closed(now_, session);
        drain();
    }
    void end_turn() {
        while (machine_.handle_turn_end()) drain();
    }
    std::size_t deliveries() const { return deliveries_; }

private:
    void drain() {
        while (const auto output = machine_.poll())
            std::visit([this](const auto& item) { on(item); }, *output);
    }
    template <class Other> void on(const Other&) {}
    void on(const act::Send& order) {
        benchmark::DoNotOptimize(order.data.data());
        ++deliveries_;
    }
    void on(const act::Fanout& order) {
        benchmark::DoNotOptimize(order.data.data());
        deliveries_ += order.sessions.size();
    }
    void on(const event::JoinAsked& asked) {
        JoinAnswer answer = JoinAnswer::ok();
        if (asked.params.data == R"({"track":true})") answer.then.presence_state().track("a user", "{}");
        machine_.answer_join(now_, asked.member, std::move(answer));
    }
    void on(const event::MessageIn& in) { machine_.apply(now_, in.member, in.reply_to, handle_in(in)); }
    static Actions handle_in(const event::MessageIn& in) {
        if (in.event == "shout") return Actions().broadcast("shout", in.payload).ok();
        if (in.event == "track") return Actions().track("one more", "{}");
        if (in.event == "untrack") return Actions().untrack("one more");
        return Actions().ok(in.payload);
    }

    ServerMachine machine_{ServerConfig{}};
    TimePoint now_{};
    std::size_t deliveries_ = 0;
};

std::string frame_of(const std::string& event, const std::string& of = payload) {
    return R"(["1","2","room:lobby",")" + event + "\"," + of + "]";
}
const std::string join = frame_of("phx_join", "{}");

void echo(benchmark::State& state) {
    Application application;
    const SessionId session = application.open_many(1, join)[0];
    const std::string push = frame_of("echo");
    for (auto _ : state) application.take(session, push);
}

void fan_out(benchmark::State& state) {
    Application application;
    const std::vector<SessionId> sessions = application.open_many(state.range(0), join);
    const std::string push = frame_of("shout");
    for (auto _ : state) application.take(sessions[0], push);
    state.SetItemsProcessed(static_cast<std::int64_t>(application.deliveries()));
}

void join_and_leave(benchmark::State& state) {
    Application application;
    application.open_many(state.range(0), join);
    const SessionId session = application.open();
    const std::string leave = frame_of("phx_leave", "{}");
    for (auto _ : state) {
        application.take(session, join);
        application.take(session, leave);
    }
}

void open_and_close(benchmark::State& state) {
    Application application;
    for (auto _ : state) {
        const SessionId session = application.open();
        application.take(session, join);
        application.close(session);
    }
}

void presence(benchmark::State& state) {
    Application application;
    const std::string tracked = frame_of("phx_join", R"({"track":true})");
    const std::vector<SessionId> sessions = application.open_many(state.range(0), tracked);
    const std::string track = frame_of("track", "{}"), untrack = frame_of("untrack", "{}");
    application.end_turn();
    for (auto _ : state) {
        application.take(sessions[0], track);
        application.end_turn();
        application.take(sessions[0], untrack);
        application.end_turn();
    }
}

void presence_of_a_join(benchmark::State& state) {
    Application application;
    const std::string tracked = frame_of("phx_join", R"({"track":true})");
    application.open_many(state.range(0), tracked);
    application.end_turn();
    for (auto _ : state) {
        const SessionId session = application.open();
        application.take(session, tracked);
        application.end_turn();
        application.close(session);
        application.end_turn();
    }
}

/// All of them go and come back, each time in one turn.
void presence_of_all(benchmark::State& state) {
    Application application;
    const std::vector<SessionId> sessions = application.open_many(state.range(0), join);
    const std::string track = frame_of("track", "{}"), untrack = frame_of("untrack", "{}");
    for (auto _ : state) {
        for (const SessionId session : sessions) application.take(session, track);
        application.end_turn();
        for (const SessionId session : sessions) application.take(session, untrack);
        application.end_turn();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(echo);
BENCHMARK(fan_out)->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(join_and_leave)->Arg(0)->Arg(1000);
BENCHMARK(open_and_close);
BENCHMARK(presence)->Arg(10)->Arg(1000);
BENCHMARK(presence_of_a_join)->Arg(10)->Arg(1000);
BENCHMARK(presence_of_all)->Arg(10)->Arg(1000);

} // namespace

BENCHMARK_MAIN();
