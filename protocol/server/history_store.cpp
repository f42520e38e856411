#include "protocol/server/history_store.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace phx::protocol::server {

namespace {

// What the tables keep beside the texts, rounded up: a node of the list, a place in the topic and the shared
// text; for each topic a node of the map and a deque, which has 512 bytes from its first element on.
constexpr std::size_t node_bytes = 32 + sizeof(std::string) + 16;
constexpr std::size_t topic_bytes = 768;

std::size_t size_of_topic(const std::string& name) noexcept { return topic_bytes + name.size(); }

std::int64_t ends_after(std::int64_t now_ms, std::chrono::seconds age) noexcept {
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    return age.count() >= (never - now_ms) / 1000 ? never : now_ms + 1000 * age.count();
}

} // namespace

std::size_t HistoryStore::size_of(const Message& message) noexcept {
    return sizeof(Message) + node_bytes + message.topic.size() + message.bytes->size();
}

void HistoryStore::add(std::string_view name, std::int64_t now_ms, Bytes bytes,
                       const phx::server::History& rule) {
    Message message{std::string(name), now_ms, 0, std::move(bytes)};
    const auto known = topics_.find(message.topic);
    if (known != topics_.end()) message.unix_ms = std::max(now_ms, known->second.back()->unix_ms);
    message.ends_ms = ends_after(message.unix_ms, rule.max_age);
    const std::size_t size = size_of(message);
    const std::size_t at_most = size + size_of_topic(message.topic);
    if (!keeps_anything(rule) || at_most > max_bytes_) return;
    while (!messages_.empty() && (messages_.front().ends_ms <= now_ms || bytes_ + at_most > max_bytes_))
        drop_oldest(topics_.find(messages_.front().topic));
    const auto [topic, is_new] = topics_.try_emplace(message.topic);
    if (is_new) bytes_ += size_of_topic(topic->first);
    messages_.push_back(std::move(message));
    topic->second.push_back(std::prev(messages_.end()));
    bytes_ += size;
    while (topic->second.size() > rule.max_messages || topic->second.front()->ends_ms <= now_ms)
        drop_oldest(topic);
}

void HistoryStore::drop_oldest(Topics::iterator topic) {
    const auto oldest = topic->second.front();
    bytes_ -= size_of(*oldest);
    topic->second.pop_front();
    if (topic->second.empty()) {
        bytes_ -= size_of_topic(topic->first);
        topics_.erase(topic);
    }
    messages_.erase(oldest);
}

std::vector<HistoryStore::Bytes> HistoryStore::since(std::string_view topic, std::int64_t since_ms,
                                                     std::size_t limit) const {
    std::vector<Bytes> found;
    const auto kept = topics_.find(std::string(topic));
    if (kept == topics_.end()) return found;
    for (auto at = kept->second.rbegin(); at != kept->second.rend() && found.size() < limit; ++at) {
        if ((*at)->unix_ms < since_ms) break;
        found.push_back((*at)->bytes);
    }
    std::reverse(found.begin(), found.end());
    return found;
}

} // namespace phx::protocol::server
