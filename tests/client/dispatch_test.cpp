#include "tests/client/client_fixture.hpp"

#include <atomic>
#include <coroutine>
#include <deque>
#include <poll.h>
#include <thread>

// Handlers elsewhere: on a GUI's thread, or on a thread that has a loop of its own.
namespace phx::test {
namespace {

/// A GUI's event queue.
class Queue {
public:
    void post(Function<void()> call) {
        const std::lock_guard lock(mutex_);
        calls_.push_back(std::move(call));
        changed_.notify_all();
    }
    /// Runs what comes until `done`; false after the deadline.
    bool run_until(const std::function<bool()>& done) {
        while (!done()) {
            Function<void()> call;
            {
                std::unique_lock lock(mutex_);
                if (!changed_.wait_for(lock, generous, [&] { return !calls_.empty(); })) return false;
                call = std::move(calls_.front());
                calls_.pop_front();
            }
            call();
        }
        return true;
    }
    void run_all() {
        run_until([this] {
            const std::lock_guard lock(mutex_);
            return calls_.empty();
        });
    }
    /// Waits until there is something to run.
    bool wait() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, generous, [&] { return !calls_.empty(); });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Function<void()>> calls_;
};

class Dispatched : public testing::Test {
protected:
    LoopOptions options() {
        LoopOptions options;
        options.dispatch = [this](Function<void()> call) { gui.post(std::move(call)); };
        return options;
    }
    Peer join() {
        socket->connect();
        const Push joined = room.join();
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        EXPECT_TRUE(joined.wait());
        return peer;
    }

    ScriptedServer server;
    Queue gui;
    const std::thread::id here = std::this_thread::get_id();
    Loop loop{options()};
    std::optional<Socket> socket{std::in_place, loop, server.url(), quick()};
    Channel room = socket->channel("room:1");
};

TEST_F(Dispatched, HandlersRunWhereTheProgramWantsThemWithBytesOfTheirOwn) {
    std::vector<std::string> heard;
    std::optional<Message> kept;
    room.on("shout", [&](const Message& message) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        heard.emplace_back(message.text());
        kept = message;
    });
    Peer peer = join();
    for (int i = 0; i < 100; ++i) peer.broadcast("room:1", "shout", i);
    ASSERT_TRUE(gui.run_until([&] { return heard.size() == 100; }));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], std::to_string(i));
    EXPECT_EQ(kept->text(), "99"); // and outlives the handler
}

TEST_F(Dispatched, StatesClosesAndErrorsToo) {
    std::vector<std::string> seen;
    socket->on_open([&] { seen.emplace_back("open"); });
    socket->on_close([&](std::uint16_t code, std::string_view reason) {
        seen.push_back(std::to_string(code) + std::string(reason));
    });
    room.on_state([&](ChannelState, ChannelState to, const Error* why) {
        if (to == ChannelState::errored) seen.push_back(why->detail->close_reason);
    });
    socket->on_error([&](const Error& error) { seen.push_back(error.message); });
    room.on("boom", [](const Message&) { throw std::runtime_error("bang"); });
    Peer peer = join();
    peer.broadcast("room:1", "boom", json::object());
    peer.send_close(1012, "deploy");
    peer.close();
    ASSERT_TRUE(gui.run_until([&] { return seen.size() == 4; }));
    EXPECT_EQ(seen[0], "open");
    std::sort(seen.begin() + 1, seen.end()); // the error of the handler takes a way of its own
    EXPECT_EQ(seen, (std::vector<std::string>{"open", "1012deploy", "an exception left a handler: bang",
                                              "deploy"}));
}

TEST_F(Dispatched, CallbacksOfPushesToo) {
    Peer peer = join();
    bool is_done = false;
    room.push("ask").then([&](const Result<Reply>& result) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_EQ(result->text(), R"({"n":1})");
        is_done = true;
    });
    peer.reply(peer.expect("ask"), "ok", {{"n", 1}});
    EXPECT_TRUE(gui.run_until([&] { return is_done; }));
}

TEST_F(Dispatched, WaitsInsideAHandlerDoNotDeadlock) {
    bool is_answered = false;
    room.on("question", [&](const Message&) {
        is_answered = room.push("ask").wait().has_value() && room.push("again").future().get().has_value();
    });
    Peer peer = join();
    std::thread answers([&] {
        for (const char* event : {"ask", "again"}) peer.reply(peer.expect(event), "ok");
    });
    peer.broadcast("room:1", "question", json::object());
    EXPECT_TRUE(gui.run_until([&] { return is_answered; }));
    answers.join();
}

struct Task {
    struct promise_type {
        Task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

Task ask(Channel room, std::thread::id* where) {
    const auto push = room.push("ask");
    const auto reply = co_await push;
    EXPECT_TRUE(reply);
    *where = std::this_thread::get_id();
}

TEST_F(Dispatched, CoroutinesResumeThere) {
    Peer peer = join();
    std::thread::id where;
    ask(room, &where);
    peer.reply(peer.expect("ask"), "ok");
    EXPECT_TRUE(gui.run_until([&] { return where != std::thread::id{}; }));
    EXPECT_EQ(where, here);
}

TEST_F(Dispatched, HandlersThatHaveNotRunWhenTheSocketGoesNeverDo) {
    bool is_heard = false;
    int ends = 0;
    Peer peer = join();
    gui.run_all();
    room.on("shout", [&](const Message&) { is_heard = true; });
    const Push waits = room.push("never answered").then([&](const Result<Reply>& result) {
        EXPECT_EQ(result.error().code, Errc::socket_closed);
        ++ends;
    });
    peer.expect("never answered");
    peer.broadcast("room:1", "shout", json::object());
    ASSERT_TRUE(gui.wait());
    socket.reset();
    EXPECT_EQ(ends, 0);
    gui.run_all();
    EXPECT_FALSE(is_heard);
    EXPECT_EQ(ends, 1);
}

TEST_F(Dispatched, AScopedHandlerDoesNotWaitForItself) {
    std::optional<ScopedHandler> scoped;
    int calls = 0;
    scoped.emplace(room, room.on("shout", [&](const Message&) {
        ++calls;
        scoped.reset();
    }));
    Peer peer = join();
    peer.broadcast("room:1", "shout", json::object());
    EXPECT_TRUE(gui.run_until([&] { return calls == 1; }));
    EXPECT_FALSE(scoped);
}

TEST(ForeignLoop, IsDrivenByItsDescriptorAndItsNextTimeout) {
    ScriptedServer server;
    Loop loop({.run = LoopOptions::Run::caller});
    SocketOptions options = quick();
    options.heartbeat_interval = 5ms; // only a timer can bring it
    Socket socket(loop, server.url(), std::move(options));
    auto room = socket.channel("room:1");
    std::atomic<int> beats{0};
    socket.on_heartbeat([&](HeartbeatStatus status, Micros) { beats += status == HeartbeatStatus::ok; });
    bool is_joined = false;
    room.join().then([&](const Result<Reply>& result) { is_joined = result.has_value(); });
    socket.connect();
    std::atomic<bool> is_over{false};
    std::thread peer_thread([&] {
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        while (beats < 2) peer.reply(peer.expect("heartbeat"), "ok");
        is_over = true;
        loop.post([] {}); // wakes who waits
    });
    const auto deadline = std::chrono::steady_clock::now() + generous;
    while (!is_over && std::chrono::steady_clock::now() < deadline) {
        loop.poll();
        const auto timeout = loop.next_timeout();
        pollfd watched{loop.fd(), POLLIN, 0};
        ::poll(&watched, 1, timeout ? static_cast<int>(timeout->count()) : -1);
    }
    peer_thread.join();
    EXPECT_TRUE(is_joined);
    EXPECT_GE(beats, 2);
}

} // namespace
} // namespace phx::test
