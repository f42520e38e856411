#pragma once

#include "phx/server/history.hpp"
#include "protocol/wire/text_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

/// A rule can also say that topics have no history.
inline bool keeps_anything(const phx::server::History& rule) noexcept {
    return rule.max_messages > 0 && rule.max_age.count() > 0;
}

/// What may be replayed, of all topics, bounded in bytes. A message is never older than the one before it in
/// its topic: a clock that goes back, or behind that of another node, changes no order.
class HistoryStore {
public:
    HistoryStore(std::uint64_t seed, std::size_t max_bytes) : max_bytes_(max_bytes), topics_(8, Hash{seed}) {}

    using Bytes = std::shared_ptr<const std::string>;

    /// Drops what is too old, too many of its topic, or too much altogether.
    void add(std::string_view topic, std::int64_t now_ms, Bytes, const phx::server::History&);
    /// The newest `limit` of a topic that are not older than `since_ms`, oldest first.
    std::vector<Bytes> since(std::string_view topic, std::int64_t since_ms, std::size_t limit) const;
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Message {
        std::string topic;
        std::int64_t unix_ms;
        std::int64_t ends_ms; ///< too old from then on
        Bytes bytes;
    };
    using Messages = std::list<Message>; ///< of all topics
    struct Hash {
        std::uint64_t seed;
        std::size_t operator()(const std::string& name) const noexcept {
            return static_cast<std::size_t>(text_hash(seed, name));
        }
    };
    using Topics = std::unordered_map<std::string, std::deque<Messages::const_iterator>, Hash>;

    static std::size_t size_of(const Message&) noexcept;
    void drop_oldest(Topics::iterator);

    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    Messages messages_;
    Topics topics_;
};

} // namespace phx::protocol::server
