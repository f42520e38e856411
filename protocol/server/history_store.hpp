#pragma once

#include "phx/server/history.hpp"
#include "protocol/wire/text_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

/// What may be replayed, of all topics, bounded in bytes. A message is never older than the one before it in
/// its topic: a clock that goes back, or behind that of another node, changes no order.
class HistoryStore {
public:
    HistoryStore(std::uint64_t seed, std::size_t max_bytes) : max_bytes_(max_bytes), topics_(8, Hash{seed}) {}

    /// Drops what is too old, too many of its topic, or too much altogether.
    void add(std::string_view topic, phx::server::PastPublication, const phx::server::History&);
    /// The newest `limit` of a topic that are not older than `since_ms`, oldest first. Valid until add().
    std::vector<const phx::server::PastPublication*> since(std::string_view topic, std::int64_t since_ms,
                                                           std::size_t limit) const;
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Message : phx::server::PastPublication {
        std::string topic = {};
        std::int64_t ends_ms = 0; ///< too old from then on
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
