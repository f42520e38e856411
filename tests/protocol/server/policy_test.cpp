#include "protocol/server/policy.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using phx::server::Identity;
using phx::server::Policy;
using phx::server::Requirement;
using protocol::server::Rights;
using protocol::server::rights_of;
using protocol::server::WithoutPolicy;

Identity user(std::string id, std::vector<std::string> roles = {},
              std::vector<std::string> permissions = {}) {
    Identity identity;
    identity.user_id = std::move(id);
    identity.roles = std::move(roles);
    identity.permissions = std::move(permissions);
    return identity;
}

bool enters(const std::string& pattern, const std::string& topic, const Identity& who) {
    return rights_of({Policy{.topic = pattern, .join = Requirement{}}}, topic, who, WithoutPolicy::deny)
        .enter;
}

TEST(Policy, DeniesWhatNoPolicyIsAboutUnlessToldOtherwise) {
    const Rights denied = rights_of({}, "realtime:a", user("1"), WithoutPolicy::deny);
    EXPECT_FALSE(denied.enter || denied.write || denied.presence);
    const Rights open = rights_of({}, "room:a", user("1"), WithoutPolicy::allow);
    EXPECT_TRUE(open.enter && open.write && open.presence);
}

TEST(Policy, GivesWhatItNamesAndNothingElse) {
    const std::vector<Policy> policies = {{.topic = "realtime:a", .join = Requirement{}}};
    const Rights rights = rights_of(policies, "realtime:a", user("1"), WithoutPolicy::allow);
    EXPECT_TRUE(rights.enter);
    EXPECT_FALSE(rights.write);
    EXPECT_FALSE(rights.presence);
}

TEST(Policy, NeedsReadToEnterWhereReadIsNamed) {
    const std::vector<Policy> policies = {
        {.topic = "realtime:a", .join = Requirement{}, .read = Requirement{.roles = {"reader"}}}};
    EXPECT_FALSE(rights_of(policies, "realtime:a", user("1"), WithoutPolicy::deny).enter);
    EXPECT_TRUE(rights_of(policies, "realtime:a", user("1", {"reader"}), WithoutPolicy::deny).enter);
}

TEST(Policy, NeedsAllPermissionsAndOneRole) {
    const std::vector<Policy> policies = {
        {.topic = "*", .join = Requirement{.permissions = {"a", "b"}, .roles = {"x", "y"}}}};
    const auto enters_as = [&](const Identity& who) {
        return rights_of(policies, "realtime:t", who, WithoutPolicy::deny).enter;
    };
    EXPECT_TRUE(enters_as(user("1", {"y"}, {"b", "a"})));
    EXPECT_FALSE(enters_as(user("1", {"y"}, {"a"})));
    EXPECT_FALSE(enters_as(user("1", {"z"}, {"a", "b"})));
    EXPECT_FALSE(enters_as(user("1", {}, {"a", "b"})));
}

TEST(Policy, TheFirstThatFitsDecides) {
    const std::vector<Policy> policies = {
        {.topic = "realtime:news:*", .join = Requirement{}},
        {.topic = "realtime:*", .join = Requirement{}, .write = Requirement{}}};
    EXPECT_FALSE(rights_of(policies, "realtime:news:1", user("1"), WithoutPolicy::deny).write);
    EXPECT_TRUE(rights_of(policies, "realtime:chat", user("1"), WithoutPolicy::deny).write);
}

TEST(Policy, PutsTheUserInThePlaceOfSub) {
    EXPECT_TRUE(enters("realtime:user:{sub}", "realtime:user:7", user("7")));
    EXPECT_TRUE(enters("realtime:user:{sub}:*", "realtime:user:7:inbox", user("7")));
    EXPECT_TRUE(enters("{sub}:{sub}", "7:7", user("7")));
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:8", user("7")));
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:7:inbox", user("7")));
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:77", user("7")));
    EXPECT_FALSE(enters("realtime:user:{sub}:*", "realtime:user:7", user("7")));
}

TEST(Policy, NoUserIdWidensAPattern) {
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:7", user("*")));
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:7", user("{sub}")));
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:a:b", user("a:b")));
    EXPECT_FALSE(enters("realtime:user:{sub}:b", "realtime:user:a:b:b", user("a:b")));
    EXPECT_TRUE(enters("realtime:user:{sub}", "realtime:user:*", user("*"))); // it is just a name
}

TEST(Policy, AnonymousIsNobodysSub) {
    EXPECT_FALSE(enters("realtime:user:{sub}", "realtime:user:", user("")));
    EXPECT_FALSE(enters("realtime:user:{sub}:*", "realtime:user::x", user("")));
    EXPECT_FALSE(enters("{sub}", "", user("")));
}

TEST(Policy, AnotherUsersTopicIsNotOpenEvenWhereTopicsAre) {
    const std::vector<Policy> policies = {
        {.topic = "user:{sub}", .join = Requirement{}, .write = Requirement{}}};
    EXPECT_TRUE(rights_of(policies, "user:7", user("7"), WithoutPolicy::allow).enter);
    EXPECT_FALSE(rights_of(policies, "user:8", user("7"), WithoutPolicy::allow).enter);
    EXPECT_TRUE(rights_of(policies, "room:8", user("7"), WithoutPolicy::allow).enter);
}

TEST(Policy, ALaterPolicyMayOpenAnotherUsersTopic) {
    const std::vector<Policy> policies = {{.topic = "user:{sub}", .join = Requirement{}},
                                          {.topic = "user:*", .join = Requirement{.roles = {"admin"}}}};
    EXPECT_TRUE(rights_of(policies, "user:8", user("7", {"admin"}), WithoutPolicy::deny).enter);
    EXPECT_FALSE(rights_of(policies, "user:8", user("7"), WithoutPolicy::deny).enter);
}

TEST(Policy, SubHasToStandBetweenColons) {
    using protocol::server::is_valid_pattern;
    for (const char* const good : {"a:{sub}", "{sub}", "{sub}:b:{sub}", "a:*", "a"})
        EXPECT_TRUE(is_valid_pattern(good)) << good;
    for (const char* const bad : {"a{sub}", "{sub}b", "a:{sub}*", "{sub}{sub}"})
        EXPECT_FALSE(is_valid_pattern(bad)) << bad;
}

} // namespace
} // namespace phx::test
