#pragma once

#include "phx/server/presence_entry.hpp"
#include "protocol/server/outputs.hpp"
#include "protocol/server/publication.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

/// Makes the random texts of presence from a seed: the same run, the same texts.
class PresenceIds {
public:
    explicit PresenceIds(std::uint64_t seed) : seed_(seed) {}
    /// A phx_ref: 16 characters of url-safe base64, as Phoenix' are; never the same twice.
    std::string ref();
    /// A UUID: Supabase's presence key of who has none.
    std::string uuid();

private:
    std::uint64_t seed_;
    std::uint64_t count_ = 0;
};

/// What a track of the same meta under the same key does: Phoenix' Presence.update makes a new phx_ref,
/// Supabase compares first.
enum class Repeat : std::uint8_t { update, ignore };

/// Who is present on one topic, in Phoenix' shapes: key -> metas, oldest first. An updated meta keeps its
/// place. Changes gather until take_diff(), which tells what they come to; until then a state is without
/// them, so that whoever gets a state and later the diffs is told everything once.
class PresenceTracker {
public:
    /// `meta`: what presence_meta() made. False: nothing changed.
    bool track(MemberId, std::string_view key, std::string_view meta, Repeat, PresenceIds&);
    bool untrack(MemberId, std::string_view key);
    /// All of a member that ends. False: there was none.
    bool untrack_all(MemberId, std::span<const std::string> keys);

    /// What other nodes tell of theirs.
    void merge(const std::vector<phx::server::PresenceEntry>& joined,
               const std::vector<phx::server::PresenceEntry>& left);
    /// What to tell them. REQUIRES a meta of that member and key. Valid until the next change.
    PresenceValue value(MemberId, std::string_view key) const;

    bool has_changes() const noexcept { return !changes_.empty(); }
    /// Which diff a change of now will be told in, counted from one.
    std::uint32_t diff_number() const noexcept { return diff_number_; }
    /// Appends the payload of a presence_diff. False: the changes came to nothing, and nothing was appended.
    bool take_diff(std::string& out);
    /// The payload of presence_state: `{"KEY":{"metas":[{"phx_ref":...},...]},...}`
    void append_state(std::string& out) const;
    struct Bounds {
        std::size_t metas;
        std::size_t bytes;
    };
    /// Whether a track would keep to them, or at least not add to what is beyond them. `meta`: as of track().
    bool has_room(MemberId, std::string_view key, std::string_view meta, Bounds) const;
    bool empty() const noexcept { return metas_.empty(); }
    std::size_t size() const noexcept { return size_; } ///< metas of all keys
    /// Of their JSON, as append_state() writes it when all changes are told, at the most.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Meta {
        MemberId owner = {};      ///< none: of another node
        std::string origin = {};  ///< node and id there
        std::string members = {}; ///< JSON members without the braces
        std::string ref = {};
        std::string previous_ref = {};
        std::size_t bytes = 0; ///< what it adds to bytes()
        bool is_told = false;
    };
    using Metas = std::vector<Meta>;

    struct Less {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const noexcept { return a < b; }
    };
    using Groups = std::map<std::string, Metas, Less>;
    class Writer;
    void put(std::string origin, const PresenceValue&);
    void drop(const std::string& origin);
    void replace(const std::string& key, Meta& old, Meta meta);
    void remove(Groups::iterator, Metas::iterator);
    void add(Groups::iterator, Meta meta);
    static std::size_t size_of(std::string_view key, std::string_view members);
    static Metas::iterator find(Metas&, MemberId);

    Groups metas_;
    Groups changes_; ///< by key: what has left of what was told; who has joined is in metas_
    std::uint32_t diff_number_ = 1;
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
    std::unordered_map<std::string, std::string> keys_by_origin_; ///< of other nodes
};

/// The members of a meta, which must be a JSON object: without its braces, and without what Phoenix puts in
/// itself (phx_ref, phx_ref_prev): a client cannot fake them. False if it is no object.
bool presence_meta(std::string_view json, std::string& out);

} // namespace phx::protocol::server
