#pragma once

#include "protocol/server/outputs.hpp"
#include "protocol/server/presence_tracker.hpp"
#include "protocol/server/session.hpp"
#include "protocol/wire/text_hash.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

/// Supabase: the public and the private room of one name are separate.
enum class Visibility : std::uint8_t { open, restricted };

/// The members of a topic that speak one version: `sessions` is what a fan-out copies, `members` says whose
/// they are.
struct MemberList {
    std::vector<SessionId> sessions = {};
    std::vector<MemberId> members = {};
};

struct Topic {
    std::string name = {};
    Visibility visibility = Visibility::open;
    std::optional<PatternId> pattern = {}; ///< none: the built-in `realtime:*`
    std::uint32_t uses = 0;                ///< memberships that point here, unsettled and ended ones too
    std::array<MemberList, 2> lists = {};
    std::vector<MemberId> readers = {}; ///< whose joins wait for the history that the broker keeps
    std::unique_ptr<PresenceTracker> presence = {};
    std::size_t blind_members = 0;   ///< that may not see who is present
    bool waits_for_turn_end = false; ///< listed in State::untold
    RateMeter message_rate = {};
    RateMeter presence_rate = {};

    MemberList& list(Vsn vsn) noexcept { return lists[static_cast<std::size_t>(vsn)]; }
    std::size_t size() const noexcept { return lists[0].members.size() + lists[1].members.size(); }
};

/// Interns topic names, and knows who is where. Topics do not move while they are used.
class TopicTable {
public:
    explicit TopicTable(std::uint64_t seed) : topics_by_key_(8, KeyHash{seed}) {}

    /// The topic of that name, made if there is none. One use more.
    TopicIndex acquire(std::string_view name, Visibility);
    /// One use less; without any the topic is gone.
    void release(TopicIndex);

    Topic& operator[](TopicIndex index) noexcept { return topics_[static_cast<std::size_t>(index)]; }
    Topic* find(std::string_view name, Visibility);

    /// Returns the position in the list.
    std::uint32_t join(TopicIndex, Vsn, SessionId, MemberId);
    /// Returns the member that took the position over; `none` if it was the last.
    MemberId leave(TopicIndex, Vsn, std::uint32_t position);
    static constexpr MemberId none = {};

    /// Of topics with at least one member, in no order.
    template <class F> void for_each_populated(F f) const {
        for (const Topic& topic : topics_)
            if (topic.size() != 0) f(topic);
    }
    /// Topics with at least one member.
    std::size_t populated() const noexcept { return populated_; }
    std::size_t members() const noexcept { return members_; }

private:
    struct Key {
        std::string_view name;
        Visibility visibility;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::uint64_t seed;
        std::size_t operator()(const Key& key) const noexcept {
            return static_cast<std::size_t>(text_hash(seed, key.name)) ^
                   static_cast<std::size_t>(key.visibility);
        }
    };

    std::deque<Topic> topics_;
    std::vector<TopicIndex> free_;
    std::unordered_map<Key, TopicIndex, KeyHash> topics_by_key_;
    std::size_t populated_ = 0;
    std::size_t members_ = 0;
};

} // namespace phx::protocol::server
