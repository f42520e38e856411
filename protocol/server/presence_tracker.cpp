#include "protocol/server/presence_tracker.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/wire/text_hash.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace phx::protocol::server {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;

// What stands around a meta in a state: its refs of 16 characters, their names and the braces, and those of
// its key, rounded up.
constexpr std::size_t frame_bytes = 96;

void append_hex(std::string& out, std::uint64_t bits, int digits) {
    for (int i = digits - 1; i >= 0; --i) out.push_back("0123456789abcdef"[(bits >> (4 * i)) & 15]);
}

} // namespace

std::string PresenceIds::ref() {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The first 64 bits are a bijection of the count, so that no two are equal; the other 32 are decoration.
    const std::uint64_t high = mix(seed_ + golden * ++count_);
    const std::uint64_t low = mix(high ^ seed_) >> 32;
    std::string text;
    text.reserve(16);
    for (int i = 0; i < 10; ++i) text.push_back(alphabet[(high >> (58 - 6 * i)) & 63]);
    const std::uint64_t rest = (high & 15) << 32 | low;
    for (int i = 0; i < 6; ++i) text.push_back(alphabet[(rest >> (30 - 6 * i)) & 63]);
    return text;
}

std::string PresenceIds::uuid() {
    const std::uint64_t high = mix(seed_ + golden * ++count_);
    const std::uint64_t low = mix(high ^ golden);
    std::string text;
    append_hex(text, high >> 32, 8);
    text.push_back('-');
    append_hex(text, high >> 16 & 0xffff, 4);
    text.append("-4"); // version 4
    append_hex(text, high & 0xfff, 3);
    text.push_back('-');
    append_hex(text, (low >> 48 & 0x3fff) | 0x8000, 4); // variant of RFC 4122
    text.push_back('-');
    append_hex(text, low & 0xffffffffffff, 12);
    return text;
}

/// Writes `{"KEY":{"metas":[META,...]},...}`, without the keys that have no metas.
class PresenceTracker::Writer {
public:
    explicit Writer(std::string& out) : out_(out) { out_.push_back('{'); }
    /// Of `group`, those with `is_told`; the key may be that of the group before.
    void add(const Groups::value_type& group, bool is_told) {
        for (const Meta& meta : group.second)
            if (meta.is_told == is_told) add(group.first, meta);
    }
    void end() {
        end_key();
        out_.push_back('}');
    }
    bool empty() const noexcept { return key_ == nullptr; }

private:
    void add(const std::string& key, const Meta& meta) {
        if (key_ == nullptr || *key_ != key) {
            end_key();
            if (key_ != nullptr) out_.push_back(',');
            key_ = &key;
            append_json_string(out_, key);
            out_.append(":{\"metas\":[");
        } else {
            out_.push_back(',');
        }
        out_.append("{\"phx_ref\":\"").append(meta.ref).push_back('"');
        if (!meta.previous_ref.empty())
            out_.append(",\"phx_ref_prev\":\"").append(meta.previous_ref).push_back('"');
        if (!meta.members.empty()) out_.append(",").append(meta.members);
        out_.push_back('}');
    }
    void end_key() {
        if (key_ != nullptr) out_.append("]}");
    }

    std::string& out_;
    const std::string* key_ = nullptr;
};

bool PresenceTracker::track(MemberId owner, std::string_view key, std::string_view meta, Repeat repeat,
                            PresenceIds& ids) {
    auto group = metas_.find(key);
    if (group == metas_.end()) group = metas_.emplace(std::string(key), Metas{}).first;
    const auto known = find(group->second, owner);
    const bool is_new = known == group->second.end();
    if (!is_new && repeat == Repeat::ignore && known->members == meta) return false;
    Meta made{owner, {}, std::string(meta), ids.ref(), {}, size_of(key, meta)};
    if (is_new) {
        add(group, std::move(made));
    } else {
        replace(group->first, *known, std::move(made));
    }
    return true;
}

bool PresenceTracker::untrack(MemberId owner, std::string_view key) {
    const auto group = metas_.find(key);
    if (group == metas_.end()) return false;
    const auto meta = find(group->second, owner);
    if (meta == group->second.end()) return false;
    remove(group, meta);
    return true;
}

bool PresenceTracker::untrack_all(MemberId owner, std::span<const std::string> keys) {
    bool has_changed = false;
    for (const std::string& key : keys) has_changed |= untrack(owner, key);
    return has_changed;
}

std::size_t PresenceTracker::size_of(std::string_view key, std::string_view members) {
    std::string json;
    append_json_string(json, key);
    return json.size() + members.size() + frame_bytes;
}

bool PresenceTracker::has_room(MemberId owner, std::string_view key, std::string_view meta,
                               Bounds bounds) const {
    const std::size_t bytes = size_of(key, meta);
    if (const auto group = metas_.find(key); group != metas_.end()) {
        const auto old = std::find_if(group->second.begin(), group->second.end(),
                                      [&](const Meta& other) { return other.owner == owner; });
        if (old != group->second.end())
            return bytes <= old->bytes || bytes_ - old->bytes + bytes <= bounds.bytes;
    }
    return size_ < bounds.metas && bytes_ + bytes <= bounds.bytes;
}

void PresenceTracker::add(Groups::iterator group, Meta meta) {
    ++size_;
    bytes_ += meta.bytes;
    group->second.push_back(std::move(meta));
    changes_[group->first];
}

/// The new one follows what was told last: a meta that nobody has heard of leaves no trace.
void PresenceTracker::replace(const std::string& key, Meta& old, Meta meta) {
    bytes_ = bytes_ - old.bytes + meta.bytes;
    meta.previous_ref = old.is_told ? old.ref : old.previous_ref;
    Metas& left = changes_[key];
    if (old.is_told) left.push_back(std::move(old));
    old = std::move(meta);
}

void PresenceTracker::remove(Groups::iterator group, Metas::iterator meta) {
    Metas& left = changes_[group->first];
    if (meta->is_told) left.push_back(std::move(*meta));
    --size_;
    bytes_ -= meta->bytes;
    group->second.erase(meta);
    if (group->second.empty()) metas_.erase(group);
}

void PresenceTracker::merge(const std::vector<phx::server::PresenceEntry>& joined,
                            const std::vector<phx::server::PresenceEntry>& left) {
    const auto origin = [](const phx::server::PresenceEntry& entry) { return entry.node + '/' + entry.id; };
    for (const auto& entry : joined)
        if (const auto value = read_presence_value(entry.value)) put(origin(entry), *value);
    for (const auto& entry : left) drop(origin(entry));
}

void PresenceTracker::put(std::string origin, const PresenceValue& value) {
    Meta meta{MemberId{},
              origin,
              std::string(value.members),
              std::string(value.ref),
              std::string(value.previous_ref),
              size_of(value.key, value.members)};
    const auto [known, is_new] = keys_by_origin_.try_emplace(std::move(origin), value.key);
    if (is_new) return add(metas_.try_emplace(known->second).first, std::move(meta));
    Metas& metas = metas_[known->second];
    const auto old = std::find_if(metas.begin(), metas.end(),
                                  [&](const Meta& other) { return other.origin == meta.origin; });
    if (old->ref != meta.ref) replace(known->second, *old, std::move(meta));
}

void PresenceTracker::drop(const std::string& origin) {
    const auto known = keys_by_origin_.find(origin);
    if (known == keys_by_origin_.end()) return;
    const auto group = metas_.find(known->second);
    Metas& metas = group->second;
    remove(group, std::find_if(metas.begin(), metas.end(),
                               [&](const Meta& other) { return other.origin == origin; }));
    keys_by_origin_.erase(known);
}

PresenceValue PresenceTracker::value(MemberId owner, std::string_view key) const {
    const auto group = metas_.find(key);
    const auto meta = std::find_if(group->second.begin(), group->second.end(),
                                   [&](const Meta& other) { return other.owner == owner; });
    return {group->first, meta->members, meta->ref, meta->previous_ref};
}

bool PresenceTracker::take_diff(std::string& out) {
    const std::size_t before = out.size();
    ++diff_number_;
    out.append("{\"joins\":");
    Writer joins(out);
    for (const auto& change : changes_) {
        const auto group = metas_.find(change.first);
        if (group == metas_.end()) continue;
        joins.add(*group, false);
        for (Meta& meta : group->second) meta.is_told = true;
    }
    joins.end();
    out.append(",\"leaves\":");
    Writer leaves(out);
    for (const auto& change : changes_) leaves.add(change, true);
    leaves.end();
    out.push_back('}');
    const bool is_empty = joins.empty() && leaves.empty();
    if (is_empty) out.resize(before);
    changes_.clear();
    return !is_empty;
}

void PresenceTracker::append_state(std::string& out) const {
    Writer groups(out);
    auto change = changes_.begin();
    for (const auto& group : metas_) {
        for (; change != changes_.end() && change->first < group.first; ++change) groups.add(*change, true);
        groups.add(group, true);
    }
    for (; change != changes_.end(); ++change) groups.add(*change, true);
    groups.end();
}

PresenceTracker::Metas::iterator PresenceTracker::find(Metas& metas, MemberId owner) {
    return std::find_if(metas.begin(), metas.end(), [&](const Meta& meta) { return meta.owner == owner; });
}

bool presence_meta(std::string_view json, std::string& out) {
    realtime::JsonMembers members(json);
    if (!members.is_object()) return false;
    std::string scratch;
    realtime::JsonMember member;
    while (members.next(member)) {
        const std::string_view name = unquote(member.name, scratch);
        if (name == "phx_ref" || name == "phx_ref_prev") continue;
        if (!out.empty()) out.push_back(',');
        out.append(member.name.text).append(":").append(member.value);
    }
    return members.complete();
}

} // namespace phx::protocol::server
