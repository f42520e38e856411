#include "phx/presence.hpp"

#include "tests/client/client_fixture.hpp"

#include <memory>
#include <thread>
#include <utility>

namespace phx::test {
namespace {

std::string shown(const std::vector<PresenceMeta>& metas) {
    std::string text = "[";
    for (const PresenceMeta& meta : metas) text.append(text.size() > 1 ? "," : "").append(meta.ref());
    return text + ']';
}
std::string shown(const PresenceState& state) {
    std::string text;
    for (const PresenceEntry& entry : state)
        text.append(text.empty() ? "" : " ").append(entry.key).append(shown(entry.metas));
    return text;
}

/// {"KEY":{"metas":[{"phx_ref":"REF"}]}}
json one(const std::string& key, const std::string& ref) {
    return {{key, {{"metas", json::array({{{"phx_ref", ref}}})}}}};
}
json diff(const json& joins, const json& leaves = json::object()) {
    return {{"joins", joins}, {"leaves", leaves}};
}

using Lines = std::vector<std::string>;

/// A channel that is joined and a presence of it that is told everything.
class JoinedPresence : public testing::Test {
protected:
    void SetUp() override {
        socket.on_error([this](const Error& error) { errors.add(error); });
        watch(*presence);
        socket.connect();
        const Push joined = room.join();
        peer.emplace(server.accept_upgraded());
        join = peer->accept_join();
        ASSERT_TRUE(result_of(joined));
    }
    void watch(Presence& which) {
        which.on_join([this](const PresenceEntry* before, const PresenceEntry& joined) {
            seen.add("join " + joined.key + shown(joined.metas) +
                     (before ? " before " + shown(before->metas) : ""));
        });
        which.on_update([this](const PresenceEntry& before, const PresenceEntry& now) {
            seen.add("update " + now.key + " " + shown(before.metas) + " to " + shown(now.metas));
        });
        which.on_leave([this](const PresenceEntry& now, const PresenceEntry& left) {
            seen.add("leave " + left.key + shown(left.metas) + " now " + shown(now.metas));
        });
        which.on_sync([this, &which] { seen.add("sync " + shown(which.state())); });
    }
    void send_state(const json& state) { peer->broadcast("room:1", "presence_state", state); }
    void send_diff(const json& joins, const json& leaves = json::object()) {
        peer->broadcast("room:1", "presence_diff", diff(joins, leaves));
    }
    void settle() {
        std::promise<void> done;
        loop.post([&] { done.set_value(); });
        get(done.get_future());
    }

    // Before the loop: handlers use them as long as it lives.
    ScriptedServer server;
    Inbox<Error> errors;
    Inbox<std::string> seen;
    Loop loop;
    Socket socket{loop, server.url(), quick()};
    Channel room = socket.channel("room:1");
    std::optional<Presence> presence{std::in_place, room};
    std::optional<Peer> peer;
    PhxFrame join;
};

TEST_F(JoinedPresence, SyncsStateAndDiffs) {
    EXPECT_TRUE(presence->in_pending_sync_state());
    send_state(one("ada", "1"));
    send_diff(one("bob", "2"));
    send_diff(one("ada", "1.2"), one("ada", "1"));
    send_diff(json::object(), one("bob", "2"));
    EXPECT_EQ(seen.wait_for(8), (Lines{"join ada[1]", "sync ada[1]", "join bob[2]", "sync ada[1] bob[2]",
                                       "update ada [1] to [1.2]", "sync ada[1.2] bob[2]",
                                       "leave bob[2] now []", "sync ada[1.2]"}));
    EXPECT_FALSE(presence->in_pending_sync_state());
    EXPECT_TRUE(presence->channel() == room);
}

TEST_F(JoinedPresence, ListsFullPresenceByDefault) {
    json state = one("ada", "1");
    state["ada"]["user"] = {{"name", "Ada"}};
    state["ada"]["metas"][0]["device"] = "phone";
    send_state(state);
    seen.wait_for(2);
    ASSERT_EQ(presence->list().size(), 1u);
    const PresenceEntry& ada = presence->list()[0];
    EXPECT_EQ(ada.key, "ada");
    EXPECT_EQ(ada.fields, R"({"user":{"name":"Ada"}})");
    ASSERT_EQ(ada.metas.size(), 1u);
    EXPECT_EQ(meta_json(ada.metas[0]).value(), json({{"phx_ref", "1"}, {"device", "phone"}}));
    ASSERT_TRUE(presence->get("ada"));
    EXPECT_EQ(*presence->get("ada"), ada);
    EXPECT_FALSE(presence->get("bob"));
}

TEST_F(JoinedPresence, ListsWithCustomFunction) {
    json state = one("ada", "1");
    state.update(one("bob", "2"));
    send_state(state);
    seen.wait_for(3);
    const std::vector<Json> first =
        presence->list([](const PresenceEntry& entry) { return meta_json(entry.metas.front()).value(); });
    EXPECT_EQ(first, (std::vector<Json>{{{"phx_ref", "1"}}, {{"phx_ref", "2"}}}));
    EXPECT_EQ(presence->list(&PresenceEntry::key), (Lines{"ada", "bob"}));
}

TEST_F(JoinedPresence, AllowsCustomChannelEvents) {
    Presence other(room, "the_state", "the_diff");
    watch(other);
    settle();
    peer->broadcast("room:1", "the_diff", diff(one("bob", "2")));
    peer->broadcast("room:1", "the_state", one("ada", "1"));
    EXPECT_EQ(seen.wait_for(3), (Lines{"join ada[1]", "join bob[2]", "sync ada[1] bob[2]"}));
    EXPECT_TRUE(presence->state().empty());
}

TEST_F(JoinedPresence, WaitsForTheStateOfEachJoinAndReportsDifferencesOnly) {
    send_diff(one("ada", "1"));
    json state = one("ada", "1");
    state.update(one("bob", "2"));
    send_state(state);
    seen.wait_for(3);
    peer->send_phx(join.join_ref, join.ref, "room:1", "phx_error", json::object());
    peer->accept_join();
    send_diff(json::object(), one("bob", "2.new"));
    send_diff(one("carl", "3"));
    state = one("bob", "2.new");
    state.update(one("dora", "4"));
    send_state(state);
    EXPECT_EQ(seen.wait_for(9), (Lines{"join ada[1]", "join bob[2]", "sync ada[1] bob[2]",
                                       "update bob [2] to [2.new]", "join dora[4]", "leave ada[1] now []",
                                       "leave bob[2.new] now []", "join carl[3]", "sync dora[4] carl[3]"}));
}

TEST_F(JoinedPresence, ReportsWhatTheServerSendsWrong) {
    send_state({{"ada", {{"metas", 1}}}, {"bob", {{"metas", json::array({{{"phx_ref", "2"}}})}}}});
    std::string frame = {2, 6, 13}; // a binary broadcast: sizes of topic and event
    peer->send(2, frame + "room:1" + "presence_diff" + "\x01");
    send_diff(nullptr, json::object());
    const auto reported = errors.wait_for(3);
    ASSERT_EQ(reported.size(), 3u);
    const Lines messages = {"room:1: presence state, presence 1: its metas are no array",
                            "room:1: the payload of a presence is binary",
                            "room:1: joins of a presence diff: it is no object"};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        EXPECT_EQ(reported[i].message, messages[i]);
        EXPECT_EQ(reported[i].code, Errc::invalid_payload);
        EXPECT_EQ(reported[i].origin, Origin::peer);
    }
    EXPECT_EQ(seen.wait_for(3), (Lines{"join bob[2]", "sync bob[2]", "sync bob[2]"}));
}

TEST_F(JoinedPresence, ReportsWhatExceedsItsLimits) {
    const Presence bounded(room, "presence_state", "presence_diff", {.max_entries = 1});
    settle();
    json state = one("ada", "1");
    state.update(one("bob", "2"));
    send_state(state);
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::buffer_full);
    EXPECT_EQ(error->origin, Origin::peer);
    settle();
    EXPECT_EQ(shown(bounded.state()), "ada[1]");
}

TEST_F(JoinedPresence, CallsNoHandlerThatWasRemoved) {
    HandlerId removed;
    std::promise<void> registered;
    loop.post([&] {
        removed = presence->on_sync([&] {
            seen.add("once");
            presence->off(removed);
            presence->on_sync([&] { seen.add("from now on"); });
        });
        registered.set_value();
    });
    get(registered.get_future());
    settle();
    send_state(json::object());
    seen.wait_for(2);
    send_state(json::object());
    EXPECT_EQ(seen.wait_for(4), (Lines{"sync ", "once", "sync ", "from now on"}));
}

TEST_F(JoinedPresence, LivesOnAfterAnExceptionOfAHandler) {
    presence->on_join([](const PresenceEntry*, const PresenceEntry&) { throw std::runtime_error("oops"); });
    presence->on_sync([&] { seen.add("last"); });
    settle();
    send_state(one("ada", "1"));
    EXPECT_EQ(seen.wait_for(3), (Lines{"join ada[1]", "sync ada[1]", "last"}));
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::handler_failed);
}

TEST_F(JoinedPresence, MayDieInsideItsHandler) {
    presence->on_join([this](const PresenceEntry*, const PresenceEntry& joined) {
        seen.add("the end of " + joined.key);
        presence.reset();
    });
    presence->on_join([this](const PresenceEntry*, const PresenceEntry&) { seen.add("never"); });
    room.on("last", [this](const Message&) { seen.add("last"); });
    settle();
    json state = one("ada", "1");
    state.update(one("bob", "2"));
    send_state(state);
    send_diff(one("carl", "3"));
    peer->broadcast("room:1", "last", json::object());
    EXPECT_EQ(seen.wait_for(3), (Lines{"join ada[1]", "the end of ada", "last"}));
}

TEST_F(JoinedPresence, WaitsInItsDestructorForAHandlerThatRuns) {
    std::promise<void> entered, go;
    std::atomic<bool> is_over{false};
    presence->on_sync([&] {
        entered.set_value();
        go.get_future().wait();
        is_over = true;
    });
    settle();
    send_state(json::object());
    get(entered.get_future());
    std::thread other([&] { go.set_value(); });
    presence.reset();
    EXPECT_TRUE(is_over);
    other.join();
}

TEST_F(JoinedPresence, LetsGoOfItsHandlersWhenItDies) {
    auto token = std::make_shared<int>();
    const std::weak_ptr<int> watched = token;
    presence->on_sync([token, channel = room] {});
    token.reset();
    settle();
    EXPECT_FALSE(watched.expired());
    presence.reset();
    settle();
    settle(); // what has run in the turn of the first is gone
    EXPECT_TRUE(watched.expired());
}

TEST_F(JoinedPresence, IsReadByManyThreadsWhileItChanges) {
    std::atomic<bool> is_done{false};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            std::size_t last = 0;
            while (!is_done) {
                const PresenceState state = presence->state();
                EXPECT_GE(state.size(), last); // nobody leaves
                last = state.size();
                for (const PresenceEntry& entry : state) EXPECT_EQ(entry.metas.size(), 1u);
                (void)presence->get("7");
                (void)presence->in_pending_sync_state();
                presence->off(presence->on_sync([] {}));
            }
        });
    }
    send_state(json::object());
    constexpr int members = 100;
    for (int i = 0; i < members; ++i) send_diff(one(std::to_string(i), "1"));
    seen.wait_for(1 + 2 * members);
    is_done = true;
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(presence->state().size(), static_cast<std::size_t>(members));
}

TEST(Presence, OutlivesItsSocketAndLoop) {
    std::optional<Presence> presence;
    HandlerId id;
    {
        ScriptedServer server;
        Loop loop;
        Socket socket(loop, server.url(), quick());
        Channel room = socket.channel("room:1");
        presence.emplace(room);
        Inbox<int> synced;
        id = presence->on_sync([&] { synced.add(1); });
        socket.connect();
        (void)room.join();
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        peer.broadcast("room:1", "presence_state", one("ada", "1"));
        synced.wait_for(1);
    }
    EXPECT_EQ(shown(presence->state()), "ada[1]");
    presence->off(id);
    presence->on_sync([] {});
    Presence late(presence->channel());
    EXPECT_TRUE(late.in_pending_sync_state());
}

} // namespace
} // namespace phx::test
