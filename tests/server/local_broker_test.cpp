#include "phx/server/broker.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace phx::test {
namespace {

using server::PresenceEntry;
using server::Swap;
using testing::ElementsAre;
using testing::IsEmpty;

/// A node whose loop runs when the test says so; what it hears are lines.
struct TestNode {
    TestNode(server::Broker& broker, std::string name) {
        server::NodeConfig config;
        config.name = std::move(name);
        config.post = [this](Function<void()> call) { tasks.push_back(std::move(call)); };
        config.on_publication = [this](std::string_view ns, std::string_view key, std::string_view bytes) {
            heard.push_back(std::string(ns) + "/" + std::string(key) + " " + std::string(bytes));
        };
        config.on_presence = [this](std::string_view, std::string_view key,
                                    const std::vector<PresenceEntry>& joined,
                                    const std::vector<PresenceEntry>& left) {
            for (const auto& entry : joined) heard.push_back(std::string(key) + " + " + text(entry));
            for (const auto& entry : left) heard.push_back(std::string(key) + " - " + text(entry));
        };
        node = broker.attach(std::move(config));
    }
    static std::string text(const PresenceEntry& entry) {
        return entry.node + "." + entry.id + "=" + entry.value;
    }
    void subscribe(const std::string& key) {
        node->subscribe("t", key, [this](Result<std::vector<PresenceEntry>> present) {
            heard.emplace_back("confirmed");
            for (const auto& entry : present.value()) heard.push_back("there " + text(entry));
        });
    }
    std::vector<std::string> run() {
        while (!tasks.empty()) {
            auto task = std::move(tasks.front());
            tasks.pop_front();
            task();
        }
        return std::exchange(heard, {});
    }
    std::deque<Function<void()>> tasks;
    std::vector<std::string> heard;
    std::unique_ptr<server::BrokerNode> node;
};

struct LocalBroker : testing::Test {
    const std::shared_ptr<server::Broker> broker = server::make_local_broker();
    TestNode a{*broker, "a"}, b{*broker, "b"}, c{*broker, "c"};
};

TEST_F(LocalBroker, PublishesToTheOthersWhoSubscribedOnceAndInOrder) {
    a.subscribe("k");
    b.subscribe("k");
    b.subscribe("k");
    a.node->publish("t", "k", "1", [&](Result<void> done) { a.heard.push_back(done ? "done" : "failed"); });
    a.node->publish("t", "k", "2", {});
    a.node->publish("other", "k", "3", {});
    a.node->publish("t", "other", "4", {});
    EXPECT_THAT(a.heard, IsEmpty()); // never inside a call
    EXPECT_THAT(a.run(), ElementsAre("confirmed", "done"));
    EXPECT_THAT(b.run(), ElementsAre("confirmed", "confirmed", "t/k 1", "t/k 2"));
    EXPECT_THAT(c.run(), IsEmpty());
    b.node->unsubscribe("t", "k");
    b.node->unsubscribe("t", "k");
    a.node->publish("t", "k", "5", {});
    EXPECT_THAT(b.run(), IsEmpty());
}

TEST_F(LocalBroker, KeepsWhatIsAskedForAndGivesItInOrderWithWhatComes) {
    const server::History rule{.max_messages = 3};
    const auto read = [](TestNode& node, std::int64_t since_ms, std::size_t limit) {
        node.node->read_history("t", "k", since_ms, limit,
                                [&node](Result<std::vector<server::BrokerNode::Bytes>> past) {
                                    node.heard.emplace_back("past:");
                                    for (const auto& bytes : past.value()) node.heard.push_back(*bytes);
                                });
    };
    b.subscribe("k");
    b.run();
    a.node->publish("t", "k", "0", {});
    a.node->publish_kept("t", "k", 10, "1", rule,
                         [&](Result<void> done) { a.heard.push_back(done ? "done" : "failed"); });
    read(b, 0, 25);
    a.node->publish_kept("t", "k", 20, "2", rule, {});
    EXPECT_THAT(b.heard, IsEmpty()); // never inside a call
    EXPECT_THAT(b.run(), ElementsAre("t/k 0", "t/k 1", "past:", "1", "t/k 2"));
    EXPECT_THAT(a.run(), ElementsAre("done"));
    a.node->publish_kept("t", "k", 30, "3", rule, {});
    a.node->publish_kept("t", "k", 40, "4", rule, {});
    a.node->publish_kept("t", "other", 40, "5", rule, {});
    a.node->publish_kept("other", "k", 40, "6", rule, {});
    read(c, 0, 25);
    EXPECT_THAT(c.run(), ElementsAre("past:", "2", "3", "4"));
    read(c, 30, 1);
    EXPECT_THAT(c.run(), ElementsAre("past:", "4"));
    read(c, 41, 25);
    EXPECT_THAT(c.run(), ElementsAre("past:"));
}

TEST(LocalBrokerHistory, IsBoundedInBytes) {
    const auto broker = server::make_local_broker({.max_history_bytes = 10'000});
    TestNode node(*broker, "a");
    for (int i = 0; i < 100; ++i)
        node.node->publish_kept("t", std::to_string(i), i, std::string(1'000, 'x'), {}, {});
    int found = 0;
    for (int i = 0; i < 100; ++i)
        node.node->read_history("t", std::to_string(i), 0, 25,
                                [&](Result<std::vector<server::BrokerNode::Bytes>> past) {
                                    found += static_cast<int>(past.value().size());
                                });
    node.run();
    EXPECT_GT(found, 2);
    EXPECT_LE(found, 10);
}

TEST_F(LocalBroker, StoresKeepsAndErasesEntities) {
    std::vector<std::string> seen;
    const auto update = [&](TestNode& node, const std::string& key, Swap swap) {
        node.node->update_entity(
            "e", key,
            [&seen, swap](const std::string* old, bool retried) {
                seen.push_back((old ? *old : "none") + (retried ? " retried" : ""));
                return swap;
            },
            [&seen](Result<void> done) { seen.push_back(done ? "ok" : "failed"); });
        node.run();
    };
    update(a, "k", Swap::keep());
    update(a, "k", Swap::store("1"));
    update(b, "k", Swap::store("2"));
    update(b, "other", Swap::keep());
    update(a, "k", Swap::erase());
    update(a, "k", Swap::erase());
    EXPECT_THAT(seen,
                ElementsAre("none", "ok", "none", "ok", "1", "ok", "none", "ok", "2", "ok", "none", "ok"));
}

TEST_F(LocalBroker, RepeatsAChangeThatAnotherOneHasOvertaken) {
    std::vector<std::string> seen;
    a.node->update_entity(
        "e", "k",
        [&](const std::string* old, bool retried) {
            seen.push_back((old ? *old : "none") + (retried ? " retried" : ""));
            if (!retried) {
                b.node->update_entity(
                    "e", "k", [](const std::string*, bool) { return Swap::store("b"); }, [](Result<void>) {});
                b.run();
            }
            return Swap::store((old ? *old : "") + "a");
        },
        [&](Result<void> done) { seen.push_back(done ? "ok" : "failed"); });
    a.run();
    b.node->update_entity(
        "e", "k",
        [&](const std::string* old, bool) {
            seen.push_back(*old);
            return Swap::keep();
        },
        [](Result<void>) {});
    b.run();
    EXPECT_THAT(seen, ElementsAre("none", "b retried", "ok", "ba"));
}

TEST_F(LocalBroker, GivesUpAChangeThatIsAlwaysOvertakenOrThrows) {
    std::vector<std::error_code> errors;
    const auto done = [&](Result<void> result) { errors.push_back(result.error().code); };
    a.node->update_entity(
        "e", "k",
        [&](const std::string*, bool) {
            b.node->update_entity(
                "e", "k", [](const std::string*, bool) { return Swap::store("b"); }, [](Result<void>) {});
            b.run();
            return Swap::store("a");
        },
        done);
    a.node->update_entity(
        "e", "k", [](const std::string*, bool) -> Swap { throw std::runtime_error("x"); }, done);
    a.run();
    EXPECT_THAT(errors, ElementsAre(Errc::cancelled, Errc::handler_failed));
}

TEST_F(LocalBroker, TellsWhoIsPresentElsewhereAndWhatChanges) {
    b.node->put_presence("t", "k", "1", "x");
    a.node->put_presence("t", "k", "1", "mine");
    a.subscribe("k");
    b.node->put_presence("t", "k", "1", "y");
    b.node->put_presence("t", "k", "2", "z");
    b.node->drop_presence("t", "k", "1");
    b.node->drop_presence("t", "k", "1");
    b.node->drop_presence("t", "unknown", "1");
    EXPECT_THAT(a.run(), ElementsAre("confirmed", "there b.1=x", "k + b.1=y", "k + b.2=z", "k - b.1=y"));
    EXPECT_THAT(b.run(), IsEmpty());
}

TEST_F(LocalBroker, LetsTheMembersOfADeadNodeLeaveOnceAndCallsItNoMore) {
    a.subscribe("k");
    c.subscribe("k");
    b.subscribe("k");
    b.node->put_presence("t", "k", "1", "x");
    b.node->put_presence("t", "k", "2", "y");
    b.node->put_presence("t", "unheard", "1", "x");
    a.node->publish("t", "k", "late", {});
    b.node.reset();
    EXPECT_THAT(b.run(), IsEmpty());
    const std::vector<std::string> gone{"confirmed", "k + b.1=x", "k + b.2=y", "k - b.1=x", "k - b.2=y"};
    EXPECT_EQ(a.run(), gone);
    a.subscribe("k");
    EXPECT_THAT(a.run(), ElementsAre("confirmed"));
}

TEST(LocalBrokerThreads, CountsEveryIncrementOfEveryThread) {
    struct Loop {
        void post(Function<void()> task) {
            const std::lock_guard lock(mutex);
            tasks.push_back(std::move(task));
            changed.notify_one();
        }
        void run_until(const std::function<bool()>& done) {
            while (!done()) {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return !tasks.empty(); });
                auto task = std::move(tasks.front());
                tasks.pop_front();
                lock.unlock();
                task();
            }
        }
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<Function<void()>> tasks;
    };
    constexpr int threads = 4, rounds = 500;
    const auto broker = server::make_local_broker();
    std::vector<std::unique_ptr<Loop>> loops;
    for (int i = 0; i < threads; ++i) loops.push_back(std::make_unique<Loop>());
    std::atomic<int> subscribed{0};
    std::vector<std::thread> running;
    std::vector<int> heard(threads), failed(threads);
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            Loop& loop = *loops[static_cast<std::size_t>(i)];
            int& count = heard[static_cast<std::size_t>(i)];
            int stored = 0;
            server::NodeConfig config;
            config.name = std::to_string(i);
            config.post = [&](Function<void()> call) { loop.post(std::move(call)); };
            config.on_publication = [&](std::string_view, std::string_view, std::string_view) { ++count; };
            const auto node = broker->attach(std::move(config));
            node->subscribe("t", "k", [&](Result<std::vector<PresenceEntry>>) {
                ++subscribed;
                for (const auto& other : loops) other->post([] {}); // wakes who waits for all
            });
            loop.run_until([&] { return subscribed == threads; });
            for (int n = 0; n < rounds; ++n) {
                node->publish("t", "k", "x", {});
                node->put_presence("p", "k", "me", std::to_string(n));
                node->update_entity(
                    "e", "k",
                    [](const std::string* old, bool) {
                        return Swap::store(std::to_string((old ? std::stoi(*old) : 0) + 1));
                    },
                    [&, i](Result<void> done) {
                        ++stored;
                        if (!done) ++failed[static_cast<std::size_t>(i)];
                    });
            }
            loop.run_until([&] { return count == (threads - 1) * rounds && stored == rounds; });
        });
    }
    for (auto& thread : running) thread.join();
    EXPECT_EQ(heard, std::vector<int>(threads, (threads - 1) * rounds));
    EXPECT_EQ(failed, std::vector<int>(threads, 0));
    TestNode last(*broker, "last");
    int total = 0;
    last.node->update_entity(
        "e", "k",
        [&](const std::string* old, bool) {
            total = std::stoi(*old);
            return Swap::keep();
        },
        [](Result<void>) {});
    last.run();
    EXPECT_EQ(total, threads * rounds);
}

} // namespace
} // namespace phx::test
