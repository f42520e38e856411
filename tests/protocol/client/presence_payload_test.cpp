#include "protocol/client/presence_payload.hpp"

#include "tests/protocol/client/presence_support.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace phx::protocol {
namespace {

using test::Lines;
using test::shown;
using test::sync_diff;
using test::sync_state;

/// `{"0":{"metas":[{"phx_ref":"0"}]},...}`
std::string many(int presences) {
    std::string text = "{";
    for (int i = 0; i < presences; ++i) {
        if (i > 0) text += ',';
        text += '"' + std::to_string(i) + R"(":{"metas":[{"phx_ref":")" + std::to_string(i) + "\"}]}";
    }
    return text + '}';
}

/// The errors of a state beside which "ok" is present: it must be there afterwards.
std::string fault_of(const std::string& presence) {
    PresenceStore store;
    PresenceNews news;
    EXPECT_TRUE(store.sync_state(R"({"bad":)" + presence + R"(,"ok":{"metas":[{"phx_ref":"1"}]}})", news));
    EXPECT_TRUE(store.find("ok"));
    EXPECT_LE(news.errors.size(), 1u);
    if (news.errors.empty()) return shown(store);
    EXPECT_EQ(news.errors[0].code, Errc::invalid_payload);
    EXPECT_EQ(news.errors[0].origin, Origin::peer);
    return news.errors[0].message + " | " + shown(store);
}

TEST(PresencePayload, LeavesOutWhatIsMalformedAndNothingElse) {
    const std::string first = "presence state, presence 1: ";
    EXPECT_EQ(fault_of("1"), first + "it is no object | ok[1]");
    EXPECT_EQ(fault_of("null"), first + "it is no object | ok[1]");
    EXPECT_EQ(fault_of(R"([{"phx_ref":"1"}])"), first + "it is no object | ok[1]");
    EXPECT_EQ(fault_of("{}"), first + "it has no metas | ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":{}})"), first + "its metas are no array | ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":null})"), first + "its metas are no array | ok[1]");
    const std::string no_ref = first + "a meta without a phx_ref that is a string | ";
    EXPECT_EQ(fault_of(R"({"metas":[{"id":1}]})"), no_ref + "ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":[{"phx_ref":1}]})"), no_ref + "ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":["a"]})"), no_ref + "ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":[{"id":1},{"phx_ref":"2"}]})"), no_ref + "bad[2] ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":[{"phx_ref":"2"}]},"bad":{"metas":[{"phx_ref":"3"}]})"),
              "presence state, presence 2: its key was there before | bad[2] ok[1]");
    EXPECT_EQ(fault_of(R"({"metas":[]})"), "ok[1]"); // nobody, and nothing wrong
}

TEST(PresencePayload, CountsTheFaultsOfAPayload) {
    PresenceStore store;
    EXPECT_EQ(sync_state(store, R"({"a":1,"b":2,"c":{"metas":[0,{"phx_ref":"1"}]}})"),
              (Lines{"error presence state, presence 1: it is no object (and 2 more faults)", "join c[1]",
                     "sync"}));
}

TEST(PresencePayload, AppliesTheHalfOfADiffThatIsThere) {
    PresenceStore store;
    EXPECT_EQ(sync_diff(store, R"({"joins":{"a":{"metas":[{"phx_ref":"1"}]}}})"),
              (Lines{"error leaves of a presence diff: it is no object", "join a[1]", "sync"}));
    EXPECT_EQ(sync_diff(store, R"({"joins":[],"leaves":{"a":{"metas":[{"phx_ref":"1"}]}}})"),
              (Lines{"error joins of a presence diff: it is no object", "leave a[1] now []", "sync"}));
}

TEST(PresencePayload, ChangesNothingWhenThePayloadIsNoObject) {
    PresenceStore store;
    sync_state(store, many(2));
    for (const char* payload : {"", "1", "null", "[]", "\"text\"", "{", R"({"a":)", R"({"a":{"metas":[]}},)",
                                "{}{}", R"({"joins":{},"leaves":{})"}) {
        PresenceNews news;
        EXPECT_FALSE(store.sync_state(payload, news)) << payload;
        EXPECT_FALSE(store.sync_diff(payload, news)) << payload;
        EXPECT_EQ(news.errors.size(), 2u);
        EXPECT_TRUE(news.changes.empty());
        EXPECT_FALSE(news.is_synced);
        EXPECT_EQ(shown(store), "0[0] 1[1]");
    }
}

TEST(PresencePayload, StopsAtTheLimitOfEntries) {
    PresenceStore store(PresenceLimits{.max_entries = 3});
    EXPECT_EQ(sync_state(store, many(5)),
              (Lines{"error presence state, presence 4: it and what follows exceeds PresenceLimits",
                     "join 0[0]", "join 1[1]", "join 2[2]", "sync"}));
    // Who leaves makes room, and more metas of a key are no more keys.
    EXPECT_EQ(sync_diff(store, R"({"joins":{"a":{"metas":[{"phx_ref":"a"}]},"1":{"metas":[{"phx_ref":"x"}]},
                                            "b":{"metas":[{"phx_ref":"b"}]}},
                                   "leaves":{"0":{"metas":[{"phx_ref":"0"}]}}})"),
              (Lines{"error joins of a presence diff: PresenceLimits are exceeded", "join a[a]",
                     "join 1[x] before [1]", "leave 0[0] now []", "sync"}));
    EXPECT_EQ(shown(store), "1[1,x] 2[2] a[a]");
}

TEST(PresencePayload, StopsAtTheLimitOfBytes) {
    const std::string text(1000, 'x');
    const auto joins = [&](std::string_view key, std::string_view ref, std::string_view leaves) {
        return R"({"joins":{")" + std::string(key) + R"(":{"metas":[{"phx_ref":")" + std::string(ref) +
               R"(","text":")" + text + R"("}]}},"leaves":)" + std::string(leaves) + "}";
    };
    PresenceStore store(PresenceLimits{.max_bytes = 3000});
    EXPECT_EQ(sync_diff(store, joins("a", "1", "{}")).size(), 2u);
    EXPECT_EQ(sync_diff(store, joins("b", "2", "{}")).size(), 2u);
    const std::size_t bytes = store.bytes();
    EXPECT_EQ(sync_diff(store, joins("c", "3", "{}")),
              (Lines{"error joins of a presence diff: PresenceLimits are exceeded", "sync"}));
    EXPECT_EQ(store.bytes(), bytes);
    // An update takes the place of what it replaces; one that grows too much still leaves.
    EXPECT_EQ(sync_diff(store, joins("b", "3", R"({"b":{"metas":[{"phx_ref":"2"}]}})")),
              (Lines{"update b [2] to [3]", "sync"}));
    EXPECT_EQ(sync_diff(store, joins("b", "4", R"({"b":{"metas":[{"phx_ref":"3"}]},"a":0})")).size(), 3u);
    EXPECT_EQ(
        sync_diff(store, R"({"joins":{"b":{"metas":[{"phx_ref":"5"},{"phx_ref":"6","text":")" + text + text +
                             R"("}]}},"leaves":{"b":{"metas":[{"phx_ref":"4"}]}}})"),
        (Lines{"error joins of a presence diff: PresenceLimits are exceeded", "leave b[4] now []", "sync"}));
    EXPECT_EQ(shown(store), "a[1]");
    EXPECT_EQ(sync_state(store, "{}").size(), 2u);
    EXPECT_EQ(store.bytes(), 0u);
}

TEST(PresencePayload, BoundsAMillionPresences) {
    const PresenceLimits limits{.max_entries = 10'000};
    PresenceStore store(limits);
    PresenceNews news;
    EXPECT_TRUE(store.sync_state(many(1'000'000), news));
    ASSERT_EQ(news.errors.size(), 1u);
    EXPECT_EQ(news.errors[0].code, Errc::buffer_full);
    EXPECT_EQ(store.size(), limits.max_entries);
    EXPECT_LE(store.bytes(), limits.max_bytes);
}

TEST(PresencePayload, ReadsManyMetasOfOneKeyWithoutComparingEachToEach) {
    std::string metas;
    for (int i = 0; i < 30'000; ++i)
        metas += (i ? ",{\"phx_ref\":\"" : "{\"phx_ref\":\"") + std::to_string(i) + "\"}";
    const std::string presence = R"({"u":{"metas":[)" + metas + "]}}";
    PresenceStore store;
    EXPECT_TRUE(sync_state(store, presence).back() == "sync");
    EXPECT_EQ(sync_state(store, presence), Lines{"sync"});
    EXPECT_EQ(sync_diff(store, R"({"joins":)" + presence + R"(,"leaves":{}})"), Lines{"sync"});
    ASSERT_TRUE(store.find("u"));
    EXPECT_EQ(store.find("u")->metas.size(), 30'000u);
    EXPECT_EQ(sync_diff(store, R"({"joins":{},"leaves":)" + presence + "}").size(), 2u);
    EXPECT_EQ(store.size(), 0u);
}

TEST(PresencePayload, BoundsTheDiffsThatWaitForAState) {
    const auto joins = [](int i) {
        return R"({"joins":{"u)" + std::to_string(i) + R"(":{"metas":[{"phx_ref":"1"}]}},"leaves":{}})";
    };
    const std::string full = "error more presence diffs than PresenceLimits allows wait for the state";
    PresenceSync by_number(PresenceLimits{.max_pending_diffs = 2});
    PresenceSync by_bytes(PresenceLimits{.max_pending_bytes = 2 * joins(1).size()});
    for (PresenceSync* presence : {&by_number, &by_bytes}) {
        EXPECT_EQ(shown(presence->handle_diff(joins(1))), Lines{});
        EXPECT_EQ(shown(presence->handle_diff(joins(2))), Lines{});
        EXPECT_EQ(shown(presence->handle_diff(joins(3))), Lines{full});
        EXPECT_EQ(shown(presence->handle_diff(joins(4))), Lines{}); // once for each join
        EXPECT_EQ(shown(presence->handle_state("{}")), (Lines{"join u3[1]", "join u4[1]", "sync"}));
        presence->handle_joining();
        for (int i = 5; i < 7; ++i) EXPECT_EQ(shown(presence->handle_diff(joins(i))), Lines{});
        EXPECT_EQ(shown(presence->handle_diff(joins(7))), Lines{full});
    }
}

} // namespace
} // namespace phx::protocol
