#include "protocol/server/registry.hpp"
#include "protocol/server/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using protocol::server::Registry;
using protocol::server::Session;
using protocol::server::SessionId;
using protocol::server::SessionTable;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

struct ARegistry : testing::Test {
    SessionId add(std::string user, std::vector<std::string> roles = {}, std::string socket_id = {}) {
        const auto [id, session] = sessions.insert();
        session.id = id;
        phx::server::Connection connection;
        connection.user_id = std::move(user);
        connection.roles = std::move(roles);
        connection.socket_id = std::move(socket_id);
        session.connection = std::make_shared<const phx::server::Connection>(std::move(connection));
        registry.add(session);
        return id;
    }
    void name_inbox(SessionId id, std::string user) {
        phx::server::Identity who;
        who.user_id = std::move(user);
        registry.add_inbox(*sessions.find(id), who);
    }
    void remove(SessionId id) { registry.remove(*sessions.find(id), sessions); }

    SessionTable sessions;
    Registry registry{7};
};

TEST_F(ARegistry, FindsWhomTheInboxIsOfBesidesTheConnectionsUser) {
    const SessionId id = add("anon", {"anon"}, "socket");
    name_inbox(id, "ada");
    EXPECT_THAT(registry.find(Registry::Kind::inbox_user, "ada"), ElementsAre(id));
    EXPECT_THAT(registry.find(Registry::Kind::user, "ada"), IsEmpty());
    EXPECT_THAT(registry.find(Registry::Kind::user, "anon"), ElementsAre(id));
    remove(id);
    EXPECT_EQ(registry.size(), 0U);
}

TEST_F(ARegistry, KeepsKindsOfNamesApart) {
    const SessionId id = add("x");
    EXPECT_THAT(registry.find(Registry::Kind::user, "x"), ElementsAre(id));
    EXPECT_THAT(registry.find(Registry::Kind::role, "x"), IsEmpty());
    EXPECT_THAT(registry.find(Registry::Kind::socket_id, "x"), IsEmpty());
}

TEST_F(ARegistry, KeepsNoNameWithoutSessions) {
    EXPECT_EQ(registry.size(), 0u);
    const SessionId id = add("ada", {"admin", "admin"}, "users:1");
    EXPECT_EQ(registry.size(), 3u);
    remove(id);
    remove(id);
    EXPECT_EQ(registry.size(), 0u);
    add("");
    EXPECT_EQ(registry.size(), 0u);
}

TEST_F(ARegistry, AgreesWithAModelInAnyOrderOfClosing) {
    std::mt19937 random(1);
    std::set<SessionId> all;
    std::vector<SessionId> open;
    for (int step = 0; step < 20'000; ++step) {
        if (open.empty() || random() % 2 == 0) {
            open.push_back(add(std::to_string(random() % 5), {"a", "b", "a"}));
            all.insert(open.back());
        } else {
            std::swap(open[random() % open.size()], open.back());
            remove(open.back());
            sessions.erase(open.back());
            all.erase(open.back());
            open.pop_back();
        }
        if (step % 100 != 0) continue;
        EXPECT_THAT(registry.find(Registry::Kind::role, "b"), UnorderedElementsAreArray(all));
        std::size_t users = 0;
        for (int user = 0; user < 5; ++user)
            users += registry.find(Registry::Kind::user, std::to_string(user)).size();
        EXPECT_EQ(users, all.size());
    }
}

} // namespace
} // namespace phx::test
