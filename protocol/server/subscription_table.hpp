#pragma once

#include "protocol/server/outputs.hpp"
#include "protocol/server/slot_table.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace phx::protocol::server {

/// What a machine has subscribed to at the broker, and how many of its members want it.
class SubscriptionTable {
public:
    struct Subscription {
        std::string ns = {};
        std::string key = {};
        std::uint32_t uses = 0;
        bool is_confirmed = false;
        std::vector<MemberId> waiting = {}; ///< for the confirmation
    };
    struct Acquired {
        SubscriptionId id;
        Subscription& subscription;
    };

    /// One use more; `uses` is 1 if it is new.
    Acquired acquire(std::string_view ns, std::string_view key) {
        const auto [found, is_new] = by_name_.try_emplace(name(ns, key), SubscriptionId{});
        if (is_new) {
            const auto inserted = subscriptions_.insert();
            found->second = inserted.id;
            inserted.value.ns.assign(ns);
            inserted.value.key.assign(key);
        }
        Subscription& subscription = *subscriptions_.find(found->second);
        ++subscription.uses;
        return {found->second, subscription};
    }

    Subscription* find(SubscriptionId id) noexcept { return subscriptions_.find(id); }

    /// REQUIRES that nobody uses it
    void erase(SubscriptionId id) {
        const Subscription* const subscription = subscriptions_.find(id);
        by_name_.erase(name(subscription->ns, subscription->key));
        subscriptions_.erase(id);
    }

private:
    static std::string name(std::string_view ns, std::string_view key) {
        std::string text(ns);
        text.push_back('\0');
        return text.append(key);
    }

    SlotTable<SubscriptionId, Subscription> subscriptions_;
    std::unordered_map<std::string, SubscriptionId> by_name_;
};

} // namespace phx::protocol::server
