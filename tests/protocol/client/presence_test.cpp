#include "protocol/client/presence.hpp"

#include "tests/protocol/client/presence_support.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::protocol {
namespace {

using test::Lines;
using test::shown;
using test::sync_diff;
using test::sync_state;

constexpr auto three = R"({"u1":{"metas":[{"id":1,"phx_ref":"1"}]},
                           "u2":{"metas":[{"id":2,"phx_ref":"2"}]},
                           "u3":{"metas":[{"id":3,"phx_ref":"3"}]}})";

// ---- phoenix.js presence_test.js

TEST(Presence, SyncStateSyncsEmptyState) {
    PresenceStore store;
    EXPECT_EQ(sync_state(store, R"({"u1":{"metas":[{"id":1,"phx_ref":"1"}]}})"),
              (Lines{"join u1[1]", "sync"}));
    EXPECT_EQ(shown(store), "u1[1]");
    EXPECT_EQ(store.find("u1")->metas[0].text(), R"({"id":1,"phx_ref":"1"})");
}

TEST(Presence, SyncStateReportsJoinsOfNewPresencesAndLeavesOfLeftPresences) {
    PresenceStore store;
    sync_state(store, R"({"u4":{"metas":[{"id":4,"phx_ref":"4"}]}})");
    EXPECT_EQ(sync_state(store, three),
              (Lines{"join u1[1]", "join u2[2]", "join u3[3]", "leave u4[4] now []", "sync"}));
    EXPECT_EQ(shown(store), "u1[1] u2[2] u3[3]");
}

TEST(Presence, SyncStateReportsOnlyNewlyAddedMetas) {
    PresenceStore store;
    sync_state(store, R"({"u3":{"metas":[{"id":3,"phx_ref":"3"}]}})");
    EXPECT_EQ(sync_state(store, R"({"u3":{"metas":[{"id":3,"phx_ref":"3"},{"id":3,"phx_ref":"3.new"}]}})"),
              (Lines{"join u3[3.new] before [3]", "sync"}));
    EXPECT_EQ(shown(store), "u3[3,3.new]");
}

TEST(Presence, SyncDiffSyncsEmptyState) {
    PresenceStore store;
    EXPECT_EQ(sync_diff(store, R"({"joins":{"u1":{"metas":[{"id":1,"phx_ref":"1"}]}},"leaves":{}})"),
              (Lines{"join u1[1]", "sync"}));
    EXPECT_EQ(shown(store), "u1[1]");
}

TEST(Presence, SyncDiffRemovesPresenceWhenMetaIsEmptyAndAddsAdditionalMeta) {
    PresenceStore store;
    sync_state(store, three);
    EXPECT_EQ(sync_diff(store, R"({"joins":{"u1":{"metas":[{"id":1,"phx_ref":"1.2"}]}},
                                   "leaves":{"u2":{"metas":[{"id":2,"phx_ref":"2"}]}}})"),
              (Lines{"join u1[1.2] before [1]", "leave u2[2] now []", "sync"}));
    EXPECT_EQ(shown(store), "u1[1,1.2] u3[3]");
}

TEST(Presence, SyncDiffRemovesMetaWhileLeavingKeyIfOtherMetasExist) {
    PresenceStore store;
    sync_state(store, R"({"u1":{"metas":[{"id":1,"phx_ref":"1"},{"id":1,"phx_ref":"1.2"}]}})");
    EXPECT_EQ(sync_diff(store, R"({"joins":{},"leaves":{"u1":{"metas":[{"id":1,"phx_ref":"1"}]}}})"),
              (Lines{"leave u1[1] now [1.2]", "sync"}));
    EXPECT_EQ(shown(store), "u1[1.2]");
}

TEST(Presence, SyncStateJoinsAndLeavesKeysOfObjectPrototype) {
    PresenceStore store;
    EXPECT_EQ(sync_state(store, R"({"__proto__":{"metas":[{"phx_ref":"1"}]},
                                    "constructor":{"metas":[{"phx_ref":"2"}]}})"),
              (Lines{"join __proto__[1]", "join constructor[2]", "sync"}));
    EXPECT_EQ(sync_state(store, "{}"),
              (Lines{"leave __proto__[1] now []", "leave constructor[2] now []", "sync"}));
    EXPECT_EQ(store.size(), 0u);
}

TEST(Presence, SyncDiffJoinsAndLeavesKeysOfObjectPrototype) {
    PresenceStore store;
    EXPECT_EQ(sync_diff(store, R"({"joins":{"toString":{"metas":[{"phx_ref":"1"}]}},"leaves":{}})"),
              (Lines{"join toString[1]", "sync"}));
    EXPECT_EQ(sync_diff(store, R"({"joins":{},"leaves":{"toString":{"metas":[{"phx_ref":"1"}]},
                                                        "__proto__":{"metas":[{"phx_ref":"1"}]}}})"),
              (Lines{"leave toString[1] now []", "sync"}));
    EXPECT_EQ(store.size(), 0u);
}

TEST(Presence, SyncsStateAndDiffs) {
    PresenceSync presence;
    presence.handle_joining();
    presence.handle_state(
        R"({"u1":{"metas":[{"id":1,"phx_ref":"1"}]},"u2":{"metas":[{"id":2,"phx_ref":"2"}]}})");
    EXPECT_EQ(shown(presence.store()), "u1[1] u2[2]");
    const PresenceNews news =
        presence.handle_diff(R"({"joins":{},"leaves":{"u1":{"metas":[{"id":1,"phx_ref":"1"}]}}})");
    EXPECT_EQ(shown(news), (Lines{"leave u1[1] now []", "sync"}));
    EXPECT_EQ(shown(presence.store()), "u2[2]");
}

TEST(Presence, AppliesPendingDiffIfStateIsNotYetSynced) {
    PresenceSync presence;
    presence.handle_joining();
    EXPECT_EQ(shown(presence.handle_diff(R"({"joins":{},"leaves":{"u2":{"metas":[{"phx_ref":"2"}]}}})")),
              Lines{});
    EXPECT_EQ(shown(presence.store()), "");
    EXPECT_EQ(shown(presence.handle_state(
                  R"({"u1":{"metas":[{"phx_ref":"1"}]},"u2":{"metas":[{"phx_ref":"2"}]}})")),
              (Lines{"join u1[1]", "join u2[2]", "leave u2[2] now []", "sync"}));
    EXPECT_FALSE(presence.is_pending());
    EXPECT_EQ(shown(presence.store()), "u1[1]");

    presence.handle_joining(); // disconnected, and joins again
    EXPECT_TRUE(presence.is_pending());
    EXPECT_EQ(shown(presence.handle_diff(R"({"joins":{},"leaves":{"u1":{"metas":[{"phx_ref":"1"}]}}})")),
              Lines{});
    EXPECT_EQ(shown(presence.store()), "u1[1]");
    EXPECT_EQ(shown(presence.handle_state(
                  R"({"u1":{"metas":[{"phx_ref":"1"}]},"u3":{"metas":[{"phx_ref":"3"}]}})")),
              (Lines{"join u3[3]", "leave u1[1] now []", "sync"}));
    EXPECT_EQ(shown(presence.store()), "u3[3]");
}

TEST(Presence, UpdatesExistingMetaForAPresenceUpdate) {
    PresenceStore store;
    sync_state(store, R"({"u1":{"metas":[{"phx_ref":"1"}]},
                          "u2":{"metas":[{"name":"chris","phx_ref":"2"}]}})");
    EXPECT_EQ(sync_diff(store, R"({"joins":{"u2":{"metas":[{"name":"chris.2","phx_ref":"2.2",
                                                            "phx_ref_prev":"2"}]}},
                                   "leaves":{"u2":{"metas":[{"name":"chris","phx_ref":"2"}]}}})"),
              (Lines{"update u2 [2] to [2.2]", "sync"}));
    EXPECT_EQ(shown(store), "u1[1] u2[2.2]");
}

// ---- what is easily missed

TEST(Presence, PutsTheMetasThatStayInFrontOfThoseThatJoin) {
    PresenceStore store;
    sync_state(store, R"({"u":{"metas":[{"phx_ref":"a"},{"phx_ref":"b"},{"phx_ref":"c"}]}})");
    EXPECT_EQ(sync_diff(store, R"({"joins":{"u":{"metas":[{"phx_ref":"d"},{"phx_ref":"b"}]}},"leaves":{}})"),
              (Lines{"join u[d] before [a,b,c]", "sync"}));
    EXPECT_EQ(shown(store), "u[a,c,d,b]");
}

TEST(Presence, ReportsNothingForOnesOwnJoinThatTheStateContained) {
    PresenceStore store;
    sync_state(store, three);
    EXPECT_EQ(sync_diff(store, R"({"joins":{"u1":{"metas":[{"id":1,"phx_ref":"1"}]}},"leaves":{}})"),
              Lines{"sync"});
    EXPECT_EQ(sync_state(store, three), Lines{"sync"});
}

TEST(Presence, ReportsAKeyThatJoinsAndLeavesInOneDiffAsBoth) {
    PresenceStore store;
    const auto diff =
        R"({"joins":{"u":{"metas":[{"phx_ref":"1"}]}},"leaves":{"u":{"metas":[{"phx_ref":"1"}]}}})";
    EXPECT_EQ(sync_diff(store, diff), (Lines{"join u[1]", "leave u[1] now []", "sync"}));
    EXPECT_EQ(store.size(), 0u);
    EXPECT_EQ(store.bytes(), 0u);
}

TEST(Presence, ReportsAMemberWhoReconnectedMeanwhileAsAnUpdate) {
    PresenceStore store;
    sync_state(store, three);
    EXPECT_EQ(sync_state(store, R"({"u1":{"metas":[{"phx_ref":"9"}]},"u2":{"metas":[{"phx_ref":"2"}]}})"),
              (Lines{"update u1 [1] to [9]", "leave u3[3] now []", "sync"}));
}

TEST(Presence, IgnoresLeavesOfWhoIsNotThere) {
    PresenceStore store;
    sync_state(store, three);
    EXPECT_EQ(sync_diff(store, R"({"joins":{},"leaves":{"u9":{"metas":[{"phx_ref":"9"}]},
                                                        "u1":{"metas":[{"phx_ref":"old"}]}}})"),
              Lines{"sync"});
    EXPECT_EQ(shown(store), "u1[1] u2[2] u3[3]");
}

TEST(Presence, KeepsTheOtherFieldsOfAPresence) {
    PresenceStore store;
    sync_state(store, R"({"u":{"user":{"name":"Ada"},"metas":[{"phx_ref":"1"}],"n":1}})");
    EXPECT_EQ(store.find("u")->fields, R"({"user":{"name":"Ada"},"n":1})");
    sync_diff(store, R"({"joins":{},"leaves":{"u":{"metas":[{"phx_ref":"0"}],"user":null}}})");
    EXPECT_EQ(store.find("u")->fields, R"({"user":{"name":"Ada"},"n":1})");
    sync_diff(store, R"({"joins":{"u":{"metas":[{"phx_ref":"2"}],"user":2}},"leaves":{}})");
    EXPECT_EQ(store.find("u")->fields, R"({"user":2})");
    sync_state(store, R"({"u":{"metas":[{"phx_ref":"2"}]}})");
    EXPECT_EQ(store.find("u")->fields, "{}");
}

TEST(Presence, ComparesKeysAndRefsByWhatTheyMean) {
    PresenceStore store;
    sync_state(store, R"({"\u0075":{"metas":[{"phx_\u0072ef":"a\/b"}]}})");
    ASSERT_TRUE(store.find("u"));
    EXPECT_EQ(sync_diff(store, R"({"joins":{},"leaves":{"u":{"metas":[{"phx_ref":"a/b"}]}}})"),
              (Lines{"leave u[a/b] now []", "sync"}));
}

TEST(Presence, ReportsNothingUntilTheStateComes) {
    PresenceSync presence;
    EXPECT_TRUE(presence.is_pending());
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(shown(presence.handle_diff(R"({"joins":{"u":{"metas":[{"phx_ref":"1"}]}},"leaves":{}})")),
                  Lines{});
    EXPECT_EQ(presence.store().size(), 0u);
}

TEST(Presence, ForgetsTheDiffsOfAnOlderJoin) {
    PresenceSync presence;
    presence.handle_diff(R"({"joins":{"gone":{"metas":[{"phx_ref":"1"}]}},"leaves":{}})");
    presence.handle_joining();
    EXPECT_EQ(shown(presence.handle_state("{}")), Lines{"sync"});
    EXPECT_EQ(presence.store().size(), 0u);
}

TEST(Presence, WaitsOnWhenTheStateCannotBeRead) {
    PresenceSync presence;
    presence.handle_diff(R"({"joins":{"u":{"metas":[{"phx_ref":"1"}]}},"leaves":{}})");
    EXPECT_EQ(shown(presence.handle_state("[]")), Lines{"error presence state: it is no object"});
    EXPECT_TRUE(presence.is_pending());
    EXPECT_EQ(shown(presence.handle_state("{}")), (Lines{"join u[1]", "sync"}));
}

TEST(Presence, KeepsWhatItGaveOut) {
    PresenceStore store;
    sync_state(store, three);
    const PresenceState before = store.state();
    const PresencePtr u1 = store.find("u1");
    sync_state(store, "{}");
    EXPECT_EQ(shown(before), "u1[1] u2[2] u3[3]");
    EXPECT_EQ(u1->metas[0].text(), R"({"id":1,"phx_ref":"1"})");
    EXPECT_EQ(store.find("u1"), nullptr);
}

TEST(Presence, ListsKeysInTheOrderInWhichTheyCame) {
    PresenceStore store;
    sync_state(store, R"({"b":{"metas":[{"phx_ref":"1"}]},"a":{"metas":[{"phx_ref":"2"}]}})");
    sync_diff(store,
              R"({"joins":{"0":{"metas":[{"phx_ref":"3"}]},"b":{"metas":[{"phx_ref":"4"}]}},"leaves":{}})");
    EXPECT_EQ(shown(store), "b[1,4] a[2] 0[3]");
    sync_state(store,
               R"({"c":{"metas":[{"phx_ref":"5"}]},"0":{"metas":[{"phx_ref":"3"}]},
                            "b":{"metas":[{"phx_ref":"4"}]}})");
    EXPECT_EQ(shown(store), "b[4] 0[3] c[5]");
}

TEST(Presence, ADiffCostsTheSameWhoeverElseIsThere) {
    const auto cost = [](int members) {
        std::string state = "{";
        for (int i = 0; i < members; ++i) {
            if (i > 0) state += ',';
            const std::string name = std::to_string(i);
            state.append("\"")
                .append(name)
                .append(R"(":{"metas":[{"phx_ref":")")
                .append(name)
                .append("\"}]}");
        }
        PresenceStore store;
        sync_state(store, state += '}');
        EXPECT_EQ(store.size(), static_cast<std::size_t>(members));
        const auto join_and_leave = [&store] {
            PresenceNews news;
            store.sync_diff(R"({"joins":{"new":{"metas":[{"phx_ref":"n"}]}},"leaves":{}})", news);
            store.sync_diff(R"({"joins":{"7":{"metas":[{"phx_ref":"8"}]}},
                                "leaves":{"7":{"metas":[{"phx_ref":"7"}]}}})",
                            news);
            store.sync_diff(R"({"joins":{"7":{"metas":[{"phx_ref":"7"}]}},
                                "leaves":{"7":{"metas":[{"phx_ref":"8"}]}}})",
                            news);
            store.sync_diff(R"({"joins":{},"leaves":{"new":{"metas":[{"phx_ref":"n"}]}}})", news);
            EXPECT_EQ(news.changes.size(), 4u);
        };
        join_and_leave();
        const phx::test::AllocationCount count;
        join_and_leave();
        return count.allocations();
    };
    const auto few = cost(10);
    EXPECT_EQ(cost(10'000), few);
    EXPECT_LT(few, 200u);
}

} // namespace
} // namespace phx::protocol
