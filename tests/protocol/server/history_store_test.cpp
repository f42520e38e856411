#include "protocol/server/history_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::History;
using protocol::server::HistoryStore;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t plenty = 1u << 20;

struct Kept : testing::Test {
    /// `size`: with blanks behind the id.
    void add(const std::string& topic, std::string id, std::int64_t at_ms, std::size_t size = 0) {
        id.resize(std::max(id.size(), size), ' ');
        store.add(topic, at_ms, std::make_shared<const std::string>(std::move(id)), rule);
    }
    std::vector<std::string> ids(const std::string& topic, std::int64_t since = 0,
                                 std::size_t limit = 25) const {
        std::vector<std::string> found;
        for (const auto& bytes : store.since(topic, since, limit))
            found.push_back(bytes->substr(0, bytes->find(' ')));
        return found;
    }
    History rule{.pattern = "*", .max_messages = 3, .max_age = 10s};
    HistoryStore store{7, plenty};
};

TEST_F(Kept, GivesTheNewestOldestFirst) {
    for (int i = 1; i <= 3; ++i) add("a", std::to_string(i), 100 * i);
    EXPECT_THAT(ids("a"), ElementsAre("1", "2", "3"));
    EXPECT_THAT(ids("a", 0, 2), ElementsAre("2", "3"));
    EXPECT_THAT(ids("a", 200), ElementsAre("2", "3"));
    EXPECT_THAT(ids("a", 301), IsEmpty());
    EXPECT_THAT(ids("b"), IsEmpty());
}

TEST_F(Kept, DropsWhatIsTooManyOfItsTopic) {
    add("b", "other", 1);
    for (int i = 1; i <= 5; ++i) add("a", std::to_string(i), 100 * i);
    EXPECT_THAT(ids("a"), ElementsAre("3", "4", "5"));
    EXPECT_THAT(ids("b"), ElementsAre("other"));
}

TEST_F(Kept, DropsWhatIsTooOld) {
    add("a", "1", 0);
    add("a", "2", 5'000);
    add("b", "3", 10'000);
    EXPECT_THAT(ids("a"), ElementsAre("2"));
    add("b", "4", 20'000);
    const std::size_t of_one = store.bytes();
    EXPECT_THAT(ids("a"), IsEmpty());
    EXPECT_THAT(ids("b"), ElementsAre("4"));
    add("a", "5", 40'000);
    EXPECT_EQ(store.bytes(), of_one);
}

TEST_F(Kept, IsNeverOlderThanWhatCameBefore) {
    add("a", "1", 1'000);
    add("a", "2", 900); // a clock was put back, or another node's is behind
    add("a", "3", 1'001);
    EXPECT_THAT(ids("a", 1'000), ElementsAre("1", "2", "3"));
    EXPECT_THAT(ids("a", 1'001), ElementsAre("3"));
}

TEST_F(Kept, IsNotTooOldForAClockThatWasAheadForAWhile) {
    add("b", "other", 1'000);
    add("a", "1", 100'000);
    add("b", "again", 1'000); // put right: the one before is not older than that
    EXPECT_THAT(ids("a"), ElementsAre("1"));
    add("a", "2", 1'000);
    EXPECT_THAT(ids("b"), ElementsAre("again"));
}

TEST_F(Kept, IsBoundedInBytesOverAllTopics) {
    store = HistoryStore(7, 10'000);
    for (int i = 0; i < 100; ++i) {
        add("topic" + std::to_string(i % 40), std::to_string(i), i, 1'000);
        EXPECT_LE(store.bytes(), 10'000u);
    }
    EXPECT_THAT(ids("topic19"), ElementsAre("99"));
    EXPECT_THAT(ids("topic20"), IsEmpty());
    const std::size_t before = store.bytes();
    add("a", "larger than all of it", 100, 20'000);
    EXPECT_THAT(ids("a"), IsEmpty());
    EXPECT_EQ(store.bytes(), before);
}

TEST_F(Kept, CountsWhatATopicTakesBesideItsMessages) {
    store = HistoryStore(7, 100'000);
    for (int i = 0; i < 1'000; ++i) add("topic" + std::to_string(i), "id", i);
    std::size_t kept = 0;
    for (int i = 0; i < 1'000; ++i) kept += ids("topic" + std::to_string(i)).size();
    EXPECT_GT(kept, 80u);
    EXPECT_LT(kept, 125u); // the deque of a topic alone has more than half a kilobyte
    EXPECT_LE(store.bytes(), 100'000u);
}

TEST_F(Kept, NothingWhereARuleSaysNone) {
    for (const History& none : {History{.max_messages = 0}, History{.max_age = 0s}}) {
        rule = none;
        add("a", "1", 0);
    }
    EXPECT_EQ(store.bytes(), 0u);
}

} // namespace
} // namespace phx::test
