#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol {

/// One presence under a key: a device of a user, say. Copies share the text; any thread.
class PresenceMeta {
public:
    PresenceMeta(std::string ref, std::string text)
        : content_(std::make_shared<const Content>(Content{std::move(ref), std::move(text)})) {}

    /// The meta's phx_ref, which names it: an updated meta has another.
    std::string_view ref() const noexcept { return content_->ref; }
    /// The whole meta as JSON text, with phx_ref and phx_ref_prev. `meta_json()` parses it.
    std::string_view text() const noexcept { return content_->text; }

    friend bool operator==(const PresenceMeta& a, const PresenceMeta& b) noexcept {
        return a.content_ == b.content_ || a.text() == b.text();
    }

private:
    struct Content {
        std::string ref;
        std::string text;
    };
    std::shared_ptr<const Content> content_;
};

/// Who is present under one key.
struct PresenceEntry {
    std::string key = {};
    std::vector<PresenceMeta> metas = {}; ///< oldest first
    /// What else the server says about the key (Phoenix' `fetch/2`): a JSON object, `{}` if nothing.
    std::string fields = "{}";

    friend bool operator==(const PresenceEntry&, const PresenceEntry&) = default;
};
using PresencePtr = std::shared_ptr<const PresenceEntry>;

/// Everybody who was present at one moment, in the order in which the keys came. It does not change; copies
/// share it; any thread. `for (const PresenceEntry& entry : presence.state())` is safe.
class PresenceState {
public:
    class iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = PresenceEntry;
        using difference_type = std::ptrdiff_t;
        using pointer = const PresenceEntry*;
        using reference = const PresenceEntry&;

        iterator() = default;
        explicit iterator(std::vector<PresencePtr>::const_iterator at) noexcept : at_(at) {}
        reference operator*() const noexcept { return **at_; }
        pointer operator->() const noexcept { return at_->get(); }
        iterator& operator++() noexcept { return ++at_, *this; }
        iterator operator++(int) noexcept { return iterator(at_++); }
        friend bool operator==(iterator, iterator) = default;

    private:
        std::vector<PresencePtr>::const_iterator at_ = {};
    };
    using const_iterator = iterator;
    using value_type = PresenceEntry;

    PresenceState() : PresenceState(std::vector<PresencePtr>()) {}
    explicit PresenceState(std::vector<PresencePtr> entries)
        : entries_(std::make_shared<const std::vector<PresencePtr>>(std::move(entries))) {}

    iterator begin() const noexcept { return iterator(entries_->begin()); }
    iterator end() const noexcept { return iterator(entries_->end()); }
    std::size_t size() const noexcept { return entries_->size(); }
    bool empty() const noexcept { return entries_->empty(); }
    const PresenceEntry& operator[](std::size_t i) const& noexcept { return *(*entries_)[i]; }
    PresenceEntry operator[](std::size_t i) && { return *(*entries_)[i]; } // outlives the temporary

private:
    std::shared_ptr<const std::vector<PresencePtr>> entries_;
};

/// What a server can make a presence keep. What exceeds it is left out: `Errc::buffer_full`.
struct PresenceLimits {
    std::size_t max_entries = 100'000; ///< keys
    /// Of keys and texts, with 256 for each key and 128 for each meta. While a payload is applied there may
    /// be three times as much.
    std::size_t max_bytes = 64u << 20;
    /// Diffs that wait for the state of the current join; beyond, the oldest, which the state most likely
    /// contains, is left out.
    std::size_t max_pending_diffs = 1000;
    std::size_t max_pending_bytes = 8u << 20;
};

} // namespace phx::protocol
