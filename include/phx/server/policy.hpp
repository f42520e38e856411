#pragma once

#include <optional>
#include <string>
#include <vector>

namespace phx::server {

/// What somebody must have: all of the permissions and, if roles are named, one of these. An empty one is
/// met by everybody.
struct Requirement {
    std::vector<std::string> permissions = {};
    std::vector<std::string> roles = {};
};

/// Who may do what on the topics of a pattern. Of several policies the first whose pattern fits the topic and
/// the user decides. What it leaves out nobody may do, but `read` is as `join` when it is left out.
///
///     Policy{.topic = "realtime:user:{sub}", .join = Requirement{}, .write = Requirement{}}
///     Policy{.topic = "realtime:news:*", .join = Requirement{}, .write = Requirement{.roles = {"editor"}}}
///
/// A private `realtime:*` channel is closed unless a policy opens it, a public one is open to everybody
/// (Options::private_only ends that). A topic with handlers is left to them when no pattern fits it; where
/// one fits, also one for another user's `{sub}`, nobody else gets in. Broadcasts by HTTP go past handlers:
/// on such a topic they need a policy that lets their sender write, or the service role. No policy lets
/// anybody broadcast by HTTP to the reserved topics `realtime:$inbox` and `realtime:$status`.
struct Policy {
    /// The whole topic, as "realtime:room:1". A `*` at its end stands for any text, `{sub}` between colons
    /// for the id of the user (Identity::user_id), which is never empty and has no colon there.
    std::string topic = {};
    std::optional<Requirement> join = {};
    /// To receive. Who may join but not read cannot join.
    std::optional<Requirement> read = {};
    /// To send: broadcasts (`realtime:*`: a refused one is dropped without a word, as Supabase does), pushes
    /// to handlers (answered with an error), and presence of one's own.
    std::optional<Requirement> write = {};
    /// To see who is present; to be seen needs `write` too.
    std::optional<Requirement> presence = {};
};

} // namespace phx::server
