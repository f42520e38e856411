#include "tests/client/client_fixture.hpp"

#include <coroutine>
#include <exception>
#include <set>
#include <thread>

namespace phx::test {
namespace {

/// A server that accepts one client and answers every push with its payload until the client leaves.
class EchoThread {
public:
    explicit EchoThread(ScriptedServer& server) : thread_([&server] { run(server); }) {}
    ~EchoThread() { thread_.join(); }

private:
    static void run(ScriptedServer& server) {
        Peer peer = server.accept_upgraded();
        for (;;) {
            const WsFrame frame = peer.receive();
            if (frame.opcode == 8) return;
            const json array = json::parse(frame.payload);
            const PhxFrame push{array[0], array[1], array[2], array[3], array[4]};
            peer.reply(push, "ok", push.payload);
        }
    }
    std::thread thread_;
};

TEST(Threads, PushFromFourAtOnce) {
    ScriptedServer server;
    EchoThread echo(server);
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    std::atomic<int> called{0};
    socket.connect();
    ASSERT_TRUE(room.join().wait());
    constexpr int pushes = 200;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            std::vector<Push> mine;
            for (int i = 0; i < pushes; ++i) {
                mine.push_back(room.push("echo", {{"thread", thread}, {"i", i}}));
                mine.back().then([&](const Result<Reply>&) { ++called; });
                room.off(room.on("x", [](const Message&) {}));
                (void)room.state();
                (void)socket.state();
            }
            for (int i = 0; i < pushes; ++i) {
                const auto reply = mine[static_cast<std::size_t>(i)].wait();
                ASSERT_TRUE(reply) << reply.error().message;
                EXPECT_EQ(reply->json().value(), json({{"thread", thread}, {"i", i}}));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(called, 4 * pushes);
}

TEST(Threads, KeepTheOrderOfEachCaller) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    (void)room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 50; ++i) (void)room.send(std::to_string(thread), std::to_string(i));
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::map<std::string, int> next;
    for (int i = 0; i < 200; ++i) {
        const PhxFrame frame = peer.receive_phx();
        EXPECT_EQ(frame.payload, next[frame.event]++);
    }
}

TEST(Threads, WaitOnTheLoopThreadWouldDeadlock) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    std::promise<Errc> verdict;
    loop.post([&] {
        const auto result = room.join().wait();
        verdict.set_value(result ? Errc{} : static_cast<Errc>(result.error().code.value()));
    });
    EXPECT_EQ(get(verdict.get_future()), Errc::would_deadlock);
}

TEST(Threads, ScopedHandlerWaitsForTheRunningCall) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    std::promise<void> entered, leave;
    auto may_leave = leave.get_future();
    bool is_done = false;
    std::optional<ScopedHandler> scoped(std::in_place, room, room.on("a", [&](const Message&) {
        entered.set_value();
        may_leave.wait();
        is_done = true;
    }));
    socket.connect();
    (void)room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    peer.broadcast("room:1", "a", json::object());
    get(entered.get_future());
    std::thread releaser([&] { leave.set_value(); });
    scoped.reset();
    EXPECT_TRUE(is_done);
    releaser.join();
}

TEST(Threads, ScopedHandlerDoesNotWaitForItself) {
    ScriptedServer server;
    Inbox<int> done;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    std::optional<ScopedHandler> scoped;
    scoped.emplace(room, room.on("a", [&](const Message&) {
        scoped.reset();
        done.add(1);
    }));
    socket.connect();
    (void)room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    peer.broadcast("room:1", "a", json::object());
    EXPECT_TRUE(done.first());
}

TEST(Threads, ScopedHandlerWaitsForAHandlerThatRemovedItself) {
    ScriptedServer server;
    std::promise<void> inside, leave;
    std::atomic<bool> is_over{false};
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    HandlerId id{};
    std::thread ends;
    {
        id = room.on("shout", [&](const Message&) {
            room.off(id);
            inside.set_value();
            leave.get_future().wait();
            is_over = true;
        });
        std::optional<ScopedHandler> scoped(std::in_place, room, id);
        socket.connect();
        const Push joined = room.join();
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        ASSERT_TRUE(result_of(joined));
        peer.broadcast("room:1", "shout", json::object());
        inside.get_future().wait();
        ends = std::thread([&] {
            scoped.reset();
            EXPECT_TRUE(is_over);
        });
        leave.set_value();
        ends.join();
    }
}

TEST(Threads, OffKillsAtOnce) {
    ScriptedServer server;
    Inbox<std::string> seen;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    const HandlerId id = room.on("a", [&](const Message&) { seen.add("dead"); });
    room.on("a", [&](const Message&) { seen.add("alive"); });
    socket.connect();
    (void)room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    room.off(id);
    room.off(id);
    room.off(HandlerId{});
    peer.broadcast("room:1", "a", json::object());
    EXPECT_EQ(seen.wait_for(1), std::vector<std::string>{"alive"});
}

// ---- Run::caller

TEST(CallerLoop, WaitRunsTheLoop) {
    ScriptedServer server;
    EchoThread echo(server);
    Loop loop({.run = LoopOptions::Run::caller});
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    std::thread::id handler_thread;
    socket.on_open([&] { handler_thread = std::this_thread::get_id(); });
    socket.connect();
    ASSERT_TRUE(room.join().wait());
    EXPECT_EQ(handler_thread, std::this_thread::get_id());
    const auto reply = room.push("echo", {{"n", 1}}).wait();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text(), R"({"n":1})");
}

TEST(CallerLoop, PollsWithoutBlocking) {
    ScriptedServer server;
    EchoThread echo(server);
    Loop loop({.run = LoopOptions::Run::caller});
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    int replies = 0;
    socket.connect();
    room.join().receive("ok", [&](const Reply&) { ++replies; });
    room.push("echo").receive("ok", [&](const Reply&) { ++replies; });
    const auto deadline = std::chrono::steady_clock::now() + generous;
    std::size_t handlers = 0;
    while (replies < 2 && std::chrono::steady_clock::now() < deadline) {
        handlers += loop.poll();
        std::this_thread::yield();
    }
    EXPECT_EQ(replies, 2);
    EXPECT_EQ(handlers, 2u);
}

TEST(CallerLoop, KeepsTheOrderOfCallsBetweenPollsAndInHandlers) {
    ScriptedServer server;
    Loop loop({.run = LoopOptions::Run::caller});
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    room.on("go", [&](const Message&) { EXPECT_TRUE(room.send("second", "{}")); });
    socket.connect();
    const Push joined = room.join();
    std::promise<void> joined_here, sent;
    std::atomic<bool> is_over{false};
    std::thread peer_thread([&] {
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        joined_here.get_future().wait(); // nobody polls from here on
        peer.broadcast("room:1", "go", json::object());
        sent.set_value();
        peer.expect("first");
        peer.expect("second");
        is_over = true;
    });
    ASSERT_TRUE(joined.wait());
    joined_here.set_value();
    sent.get_future().wait(); // the message is there
    ASSERT_TRUE(room.send("first", "{}"));
    while (!is_over) loop.poll();
    peer_thread.join();
}

TEST(CallerLoop, RunsUntilAHandlerStopsIt) {
    ScriptedServer server;
    EchoThread echo(server);
    Loop loop({.run = LoopOptions::Run::caller});
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    Push joined = room.join();
    joined.then([&](const Result<Reply>&) { loop.stop(); });
    loop.run();
    EXPECT_TRUE(joined.finished());
}

TEST(CallerLoop, OtherThreadsWaitWhileItRuns) {
    ScriptedServer server;
    EchoThread echo(server);
    Loop loop({.run = LoopOptions::Run::caller});
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    std::thread worker([&] {
        EXPECT_TRUE(room.join().wait());
        EXPECT_TRUE(room.push("echo").wait());
        loop.stop();
    });
    loop.run();
    worker.join();
}

// ---- co_await

struct Task {
    struct promise_type {
        std::promise<void> done;
        Task get_return_object() { return {done.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() { done.set_value(); }
        void unhandled_exception() { done.set_exception(std::current_exception()); }
    };
    std::future<void> finished;
};

struct Visit {
    bool is_joined = false, was_on_loop = false, is_ok = false, is_refused = false;
};

Task visit(Loop& loop, Channel room, Visit& seen) {
    const auto joined = co_await room.join();
    seen.is_joined = joined.has_value();
    seen.was_on_loop = loop.on_loop_thread();
    const auto push = room.push("shout", {{"body", "hi"}});
    const auto reply = co_await push;
    seen.is_ok = reply && reply->text() == R"({"heard":true})";
    const auto again = co_await push; // finished already
    seen.is_ok = seen.is_ok && again.has_value();
    const auto refused = co_await room.push("bad");
    seen.is_refused = !refused && refused.error().code == Errc::rejected;
}

TEST(Coroutine, ResumesOnTheLoopThread) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.connect();
    Visit seen;
    Task task = visit(loop, socket.channel("room:1"), seen);
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    peer.reply(peer.expect("shout"), "ok", {{"heard", true}});
    peer.reply(peer.expect("bad"), "error");
    get(std::move(task.finished));
    EXPECT_TRUE(seen.is_joined);
    EXPECT_TRUE(seen.was_on_loop);
    EXPECT_TRUE(seen.is_ok);
    EXPECT_TRUE(seen.is_refused);
}

TEST(Coroutine, EndsWithTheSocket) {
    ScriptedServer server;
    Loop loop;
    std::optional<Socket> socket(std::in_place, loop, server.url(), quick());
    Errc end{};
    auto wait_for_join = [&](Channel room) -> Task {
        const auto joined = co_await room.join();
        if (!joined) end = static_cast<Errc>(joined.error().code.value());
    };
    Task task = wait_for_join(socket->channel("room:1"));
    socket.reset();
    get(std::move(task.finished));
    EXPECT_EQ(end, Errc::socket_closed);
}

} // namespace
} // namespace phx::test
