#pragma once

#include "phx/protocol/frame.hpp"
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

/// A broadcast that was.
struct PastMessage {
    std::string topic = {};
    std::int64_t unix_ms = 0;
    std::int64_t ends_ms = 0; ///< too old from then on
    std::string id = {};      ///< a UUID
    Opcode kind = Opcode::text;
    std::string user_event = {}; ///< of a binary one
    /// Bytes, or the JSON object `{"type":"broadcast","event":...,"payload":...}` without a meta.
    std::string payload = {};
};

/// What may be replayed, of all topics, bounded in bytes. Messages are added in the order of their time.
class HistoryStore {
public:
    HistoryStore(std::uint64_t seed, std::size_t max_bytes) : max_bytes_(max_bytes), topics_(8, Hash{seed}) {}

    /// Drops what is too old, too many of its topic, or too much altogether.
    void add(PastMessage, const phx::server::History&);
    /// The newest `limit` of a topic that are not older than `since_ms`, oldest first. Valid until add().
    std::vector<const PastMessage*> since(std::string_view topic, std::int64_t since_ms, std::size_t limit,
                                          std::int64_t now_ms) const;
    std::size_t bytes() const noexcept { return bytes_; }

private:
    using Messages = std::list<PastMessage>; ///< of all topics
    struct Hash {
        std::uint64_t seed;
        std::size_t operator()(const std::string& name) const noexcept {
            return static_cast<std::size_t>(text_hash(seed, name));
        }
    };
    using Topics = std::unordered_map<std::string, std::deque<Messages::const_iterator>, Hash>;

    static std::size_t size_of(const PastMessage&) noexcept;
    void drop_oldest(Topics::iterator);

    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    Messages messages_;
    Topics topics_;
};

} // namespace phx::protocol::server
