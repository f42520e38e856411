#include "protocol/client/push_table.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) { return TimePoint{} + d; }

std::vector<PushId> ids(const PushTable& table, const PushList& list) {
    std::vector<PushId> found;
    for (const PushRecord* r = table.first(list); r != nullptr; r = table.following(*r))
        found.push_back(r->id);
    return found;
}

TEST(PushTable, FindsAPushByItsRefOnceItIsSent) {
    PushTable table;
    PushList list;
    const PushId id = table.add(PushKind::push, ChannelId{7}, list, at(10s));
    ASSERT_NE(table.find(id), nullptr);
    EXPECT_EQ(table.find_ref(3), nullptr);
    table.mark_sent(id, 3, at(1s));
    const PushRecord* found = table.find_ref(3);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->channel, ChannelId{7});
    EXPECT_EQ(found->sent_at, at(1s));
    EXPECT_EQ(found->deadline, at(10s));
    EXPECT_EQ(found->kind, PushKind::push);
}

TEST(PushTable, ForgetsATakenPushAltogether) {
    PushTable table;
    PushList list;
    const PushId id = table.add(PushKind::push, ChannelId{7}, list, at(10s));
    table.mark_sent(id, 3, at(1s));
    EXPECT_EQ(table.take(id).ref, 3u);
    EXPECT_EQ(table.find(id), nullptr);
    EXPECT_EQ(table.find_ref(3), nullptr);
    EXPECT_EQ(table.first(list), nullptr);
    EXPECT_EQ(table.next_timeout(), std::nullopt);
    EXPECT_EQ(table.size(), 0u);
}

TEST(PushTable, KeepsTheOrderOfEachListWhateverIsTaken) {
    PushTable table;
    PushList a;
    PushList b;
    std::vector<PushId> in_a;
    std::vector<PushId> in_b;
    for (int i = 0; i < 6; ++i) {
        in_a.push_back(table.add(PushKind::push, ChannelId{1}, a, at(1s)));
        in_b.push_back(table.add(PushKind::push, ChannelId{2}, b, at(1s)));
    }
    for (const int gone : {5, 2, 0}) { // last, middle, first
        table.take(in_a[static_cast<std::size_t>(gone)]);
        in_a.erase(in_a.begin() + gone);
        EXPECT_EQ(ids(table, a), in_a);
    }
    EXPECT_EQ(ids(table, b), in_b);
    in_a.push_back(table.add(PushKind::push, ChannelId{1}, a, at(1s)));
    EXPECT_EQ(ids(table, a), in_a);
}

TEST(PushTable, NeverUsesAnIdAgain) {
    PushTable table;
    PushList list;
    const PushId first = table.add(PushKind::push, ChannelId{1}, list, at(1s));
    table.take(first);
    const PushId second = table.next_id();
    const PushId third = table.add(PushKind::push, ChannelId{1}, list, at(1s));
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
    EXPECT_EQ(table.find(first), nullptr);
}

TEST(PushTable, KnowsTheNextTimeoutExactly) {
    PushTable table;
    PushList list;
    const PushId late = table.add(PushKind::push, ChannelId{1}, list, at(9s));
    const PushId soon = table.add(PushKind::push, ChannelId{1}, list, at(2s));
    EXPECT_EQ(table.next_timeout(), at(2s));
    EXPECT_EQ(table.expired(at(1s)), std::nullopt);
    EXPECT_EQ(table.expired(at(2s)), soon);
    table.take(soon);
    EXPECT_EQ(table.next_timeout(), at(9s));
    EXPECT_EQ(table.expired(at(20s)), late);
}

TEST(PushTable, DoesNotGrowWithWhatHasFinished) {
    PushTable table;
    PushList list;
    table.add(PushKind::push, ChannelId{1}, list, at(1s)); // the straggler
    for (std::uint64_t ref = 1; ref <= 100'000; ++ref) {
        const PushId id =
            table.add(PushKind::push, ChannelId{1}, list, at(10s + Duration(static_cast<int>(ref))));
        table.mark_sent(id, ref, at(0s));
        table.take(table.find_ref(ref)->id);
        ASSERT_LE(table.timers(), 2u + 64u + 1u);
    }
    EXPECT_EQ(table.size(), 1u);
}

} // namespace
} // namespace phx::protocol
