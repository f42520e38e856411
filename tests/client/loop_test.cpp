#include "phx/loop.hpp"
#include "src/loop/loop_core.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using phx::Function;
using phx::Loop;
using phx::LoopOptions;

constexpr auto generous = 20s;

TEST(Loop, RunsTasksOfOneThreadInOrder) {
    Loop loop;
    std::vector<int> seen;
    std::promise<void> done;
    for (int i = 0; i < 100; ++i) loop.post([&, i] { seen.push_back(i); });
    loop.post([&] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(generous), std::future_status::ready);
    ASSERT_EQ(seen.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(Loop, KnowsItsThread) {
    Loop loop;
    EXPECT_FALSE(loop.on_loop_thread());
    std::promise<bool> inside;
    loop.post([&] { inside.set_value(loop.on_loop_thread()); });
    EXPECT_TRUE(inside.get_future().get());
}

TEST(Loop, RunsEveryAcceptedTaskBeforeItEnds) {
    std::atomic<int> ran{0};
    {
        Loop loop;
        for (int i = 0; i < 1000; ++i) loop.post([&] { loop.post([&] { ++ran; }); });
    }
    EXPECT_EQ(ran, 1000);
}

TEST(Loop, DestroysTasksUncalledAfterItsEnd) {
    std::shared_ptr<phx::shell::LoopCore> core;
    {
        Loop loop;
        core = loop.core();
    }
    auto token = std::make_shared<int>(1);
    EXPECT_FALSE(core->post([token] { FAIL(); }));
    EXPECT_EQ(token.use_count(), 1);
}

TEST(Loop, OfTheCallerDoesNothingUntilPolled) {
    Loop loop({.run = LoopOptions::Run::caller});
    int ran = 0;
    loop.post([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(loop.poll(), 1u);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(loop.poll(), 0u);
}

TEST(Loop, OfTheCallerRunsUntilStopped) {
    Loop loop({.run = LoopOptions::Run::caller});
    std::promise<void> running;
    std::thread stopper([&] {
        running.get_future().wait();
        loop.stop();
    });
    loop.post([&] { running.set_value(); });
    loop.run();
    stopper.join();
    loop.stop(); // one that comes early is not lost
    loop.run();
    SUCCEED();
}

TEST(Loop, IsStoppedByItsOwnTask) {
    Loop loop({.run = LoopOptions::Run::caller});
    loop.post([&] { loop.stop(); });
    loop.run();
    SUCCEED();
}

TEST(LoopCore, CallRunsHereWhenNobodyRunsTheLoop) {
    Loop loop({.run = LoopOptions::Run::caller});
    std::thread::id where;
    EXPECT_TRUE(loop.core()->call([&] { where = std::this_thread::get_id(); }));
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(LoopCore, CallRunsOnTheLoopsOwnThread) {
    Loop loop;
    std::thread::id where;
    EXPECT_TRUE(loop.core()->call([&] { where = std::this_thread::get_id(); }));
    EXPECT_NE(where, std::this_thread::get_id());
    EXPECT_NE(where, std::thread::id{});
}

TEST(LoopTimer, FiresOnceAtTheLatestDeadlineAskedFor) {
    Loop loop({.run = LoopOptions::Run::caller});
    auto& core = *loop.core();
    int fired = 0;
    std::unique_ptr<phx::shell::LoopTimer> timer;
    const auto start = core.now();
    core.call([&] {
        timer = std::make_unique<phx::shell::LoopTimer>(core, [&] { ++fired; });
        timer->arm(start + 1ms);
        timer->arm(start + 20ms);
    });
    core.drive_until([&] { return fired > 0; });
    EXPECT_GE(core.now() - start, 20ms);
    core.call([&] { timer.reset(); });
    loop.poll();
    EXPECT_EQ(fired, 1);
}

TEST(LoopTimer, IsDisarmedByNothing) {
    Loop loop({.run = LoopOptions::Run::caller});
    auto& core = *loop.core();
    bool early = false, late = false;
    std::unique_ptr<phx::shell::LoopTimer> first, second;
    core.call([&] {
        first = std::make_unique<phx::shell::LoopTimer>(core, [&] { early = true; });
        second = std::make_unique<phx::shell::LoopTimer>(core, [&] { late = true; });
        first->arm(core.now() + 1ms);
        second->arm(core.now() + 10ms);
        first->arm({});
    });
    core.drive_until([&] { return late; });
    EXPECT_FALSE(early);
    core.call([&] { first.reset(), second.reset(); });
}

struct Counter : phx::shell::Flushable {
    explicit Counter(std::vector<int>& log, int number) : log_(log), number_(number) {}
    void flush() override { log_.push_back(number_); }
    std::vector<int>& log_;
    int number_;
};

TEST(LoopCore, FlushesEachOnceBeforeItBlocks) {
    Loop loop({.run = LoopOptions::Run::caller});
    auto& core = *loop.core();
    std::vector<int> log;
    Counter one(log, 1), two(log, 2);
    auto gone = std::make_unique<Counter>(log, 3);
    core.post([&] {
        core.flush_later(*gone);
        core.flush_later(one);
        core.flush_later(two);
        core.flush_later(one);
        gone.reset();
        EXPECT_TRUE(log.empty());
    });
    loop.poll();
    EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

struct SlowMember : phx::shell::LoopMember {
    SlowMember(phx::shell::LoopCore& core, bool& ended) : core_(core), ended_(ended) {}
    ~SlowMember() override { ended_ = true; }
    void loop_stopping() override {
        timer_.emplace(core_, [this] {
            timer_.reset();
            core_.remove_member(*this);
        });
        timer_->arm(core_.now() + 5ms);
    }
    phx::shell::LoopCore& core_;
    bool& ended_;
    std::optional<phx::shell::LoopTimer> timer_;
};

TEST(LoopCore, WaitsForItsMembersWhenItEnds) {
    bool ended = false;
    {
        Loop loop;
        auto& core = *loop.core();
        core.call([&] { core.add_member(std::make_shared<SlowMember>(core, ended)); });
    }
    EXPECT_TRUE(ended);
}

/// Runs a loop on a thread until it is destroyed.
class Runner {
public:
    explicit Runner(Loop& loop) : loop_(loop), thread_([&loop] { loop.run(); }) {
        std::promise<void> running;
        loop.post([&] { running.set_value(); });
        running.get_future().wait();
    }
    ~Runner() {
        loop_.stop();
        thread_.join();
    }

private:
    Loop& loop_;
    std::thread thread_;
};

TEST(LoopCore, WaitsForWhatAnotherThreadRuns) {
    Loop loop({.run = LoopOptions::Run::caller});
    std::atomic<bool> is_done{false};
    Runner runner(loop);
    loop.post([&] { is_done = true; });
    loop.core()->drive_until([&] { return is_done.load(); }); // although the other one never stops
    EXPECT_TRUE(is_done);
    EXPECT_TRUE(loop.core()->call([] {}));
}

TEST(LoopCore, GoesOnWhenTheOtherThreadStops) {
    Loop loop({.run = LoopOptions::Run::caller});
    auto& core = *loop.core();
    std::atomic<int> turns{0};
    std::thread::id last;
    Function<void()> turn = [&] {
        last = std::this_thread::get_id();
        if (++turns == 5) loop.stop();
        if (turns < 10) core.post([&] { turn(); });
    };
    std::optional<Runner> runner(std::in_place, loop);
    loop.post([&] { turn(); });
    core.drive_until([&] { return turns >= 10; });
    runner.reset();
    EXPECT_EQ(turns, 10);
    EXPECT_EQ(last, std::this_thread::get_id());
}

TEST(Loop, EndsAfterAStopThatNobodyTook) {
    Loop loop({.run = LoopOptions::Run::caller});
    loop.stop();
    EXPECT_TRUE(loop.core()->call([] {}));
}

TEST(Loop, EndsInSpiteOfATaskThatPostsItself) {
    int calls = 0;
    std::optional<Loop> loop(std::in_place);
    Function<void()> again = [&, core = loop->core().get()] {
        ++calls;
        core->post([&] { again(); });
    };
    loop->post([&] { again(); });
    loop.reset();
    EXPECT_GT(calls, 0);
}

TEST(Loop, ThrowsWhenThereIsNoThreadLeft) {
    pthread_attr_t normal, huge;
    ASSERT_EQ(pthread_getattr_default_np(&normal), 0);
    ASSERT_EQ(pthread_getattr_default_np(&huge), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 56), 0); // more than there are addresses
    ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
    EXPECT_THROW(Loop(), std::system_error);
    ASSERT_EQ(pthread_setattr_default_np(&normal), 0);
    EXPECT_TRUE(Loop().core()->call([] {}));
}

} // namespace
