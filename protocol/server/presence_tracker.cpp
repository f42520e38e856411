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

bool PresenceTracker::track(MemberId owner, std::string_view key, std::string_view meta, Repeat repeat,
                            PresenceIds& ids, std::string& diff) {
    auto group = metas_.find(key);
    if (group == metas_.end()) group = metas_.emplace(std::string(key), Metas{}).first;
    Metas& metas = group->second;
    const auto known = find(metas, owner);
    if (known == metas.end()) {
        metas.push_back(Meta{owner, {}, std::string(meta), ids.ref(), {}});
        ++size_;
        diff.append("{\"joins\":{");
        append_single(diff, key, metas.back());
        diff.append("},\"leaves\":{}}");
        return true;
    }
    Meta& current = metas[static_cast<std::size_t>(known - metas.cbegin())];
    if (repeat == Repeat::ignore && current.members == meta) return false;
    const Meta old = std::exchange(current, Meta{owner, {}, std::string(meta), ids.ref(), known->ref});
    diff.append("{\"joins\":{");
    append_single(diff, key, current);
    diff.append("},\"leaves\":{");
    append_single(diff, key, old);
    diff.append("}}");
    return true;
}

bool PresenceTracker::untrack(MemberId owner, std::string_view key, std::string& diff) {
    const std::string owned(key);
    return untrack_all(owner, {&owned, 1}, diff);
}

bool PresenceTracker::untrack_all(MemberId owner, std::span<const std::string> keys, std::string& diff) {
    const std::size_t begin = diff.size();
    diff.append("{\"joins\":{},\"leaves\":{");
    const std::size_t first = diff.size();
    for (const std::string& key : keys) {
        if (!tracks(owner, key)) continue;
        if (diff.size() != first) diff.push_back(',');
        remove(owner, key, diff);
    }
    if (diff.size() == first) {
        diff.resize(begin);
        return false;
    }
    diff.append("}}");
    return true;
}

void PresenceTracker::remove(MemberId owner, std::string_view key, std::string& leaves) {
    const auto group = metas_.find(key);
    Metas& metas = group->second;
    const auto meta = find(metas, owner);
    append_single(leaves, key, *meta);
    metas.erase(meta);
    --size_;
    if (metas.empty()) metas_.erase(group);
}

bool PresenceTracker::merge(const std::vector<phx::server::PresenceEntry>& joined,
                            const std::vector<phx::server::PresenceEntry>& left, std::string& diff) {
    const auto origin = [](const phx::server::PresenceEntry& entry) { return entry.node + '/' + entry.id; };
    Change change;
    for (const auto& entry : joined)
        if (const auto value = read_presence_value(entry.value)) put(origin(entry), *value, change);
    for (const auto& entry : left) drop(origin(entry), change);
    if (change.joins.empty() && change.leaves.empty()) return false;
    diff.append("{\"joins\":");
    append(diff, change.joins);
    diff.append(",\"leaves\":");
    append(diff, change.leaves);
    diff.push_back('}');
    return true;
}

void PresenceTracker::put(std::string origin, const PresenceValue& value, Change& change) {
    Meta meta{MemberId{}, origin, std::string(value.members), std::string(value.ref),
              std::string(value.previous_ref)};
    const std::string key(value.key);
    const auto [known, is_new] = keys_by_origin_.try_emplace(std::move(origin), key);
    if (is_new) {
        metas_[key].push_back(meta);
        ++size_;
    } else {
        Metas& metas = metas_[known->second];
        const auto old = std::find_if(metas.begin(), metas.end(),
                                      [&](const Meta& other) { return other.origin == meta.origin; });
        if (old->ref == meta.ref) return;
        change.leaves[key].push_back(std::exchange(*old, meta));
    }
    change.joins[key].push_back(std::move(meta));
}

void PresenceTracker::drop(const std::string& origin, Change& change) {
    const auto known = keys_by_origin_.find(origin);
    if (known == keys_by_origin_.end()) return;
    const auto group = metas_.find(known->second);
    Metas& metas = group->second;
    const auto meta =
        std::find_if(metas.begin(), metas.end(), [&](const Meta& other) { return other.origin == origin; });
    change.leaves[known->second].push_back(std::move(*meta));
    metas.erase(meta);
    --size_;
    if (metas.empty()) metas_.erase(group);
    keys_by_origin_.erase(known);
}

PresenceValue PresenceTracker::value(MemberId owner, std::string_view key) const {
    const auto group = metas_.find(key);
    const Meta& meta = *find(group->second, owner);
    return {group->first, meta.members, meta.ref, meta.previous_ref};
}

void PresenceTracker::append_state(std::string& out) const { append(out, metas_); }

void PresenceTracker::append(std::string& out, const Groups& groups) {
    out.push_back('{');
    bool first = true;
    for (const auto& [key, metas] : groups) {
        if (!std::exchange(first, false)) out.push_back(',');
        append_json_string(out, key);
        out.append(":{\"metas\":[");
        for (std::size_t i = 0; i < metas.size(); ++i) {
            if (i != 0) out.push_back(',');
            append(out, metas[i]);
        }
        out.append("]}");
    }
    out.push_back('}');
}

bool PresenceTracker::tracks(MemberId owner, std::string_view key) const {
    const auto group = metas_.find(key);
    return group != metas_.end() && find(group->second, owner) != group->second.end();
}

PresenceTracker::Metas::const_iterator PresenceTracker::find(const Metas& metas, MemberId owner) {
    return std::find_if(metas.begin(), metas.end(), [&](const Meta& meta) { return meta.owner == owner; });
}

void PresenceTracker::append(std::string& out, const Meta& meta) {
    out.append("{\"phx_ref\":\"").append(meta.ref).push_back('"');
    if (!meta.previous_ref.empty())
        out.append(",\"phx_ref_prev\":\"").append(meta.previous_ref).push_back('"');
    if (!meta.members.empty()) out.append(",").append(meta.members);
    out.push_back('}');
}

void PresenceTracker::append_single(std::string& out, std::string_view key, const Meta& meta) {
    append_json_string(out, key);
    out.append(":{\"metas\":[");
    append(out, meta);
    out.append("]}");
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
