#pragma once

#include "phx/server/connection.hpp"
#include "protocol/server/outputs.hpp"
#include "protocol/server/slot_table.hpp"
#include "protocol/wire/text_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

struct Session;
using SessionTable = SlotTable<SessionId, Session>;

/// Who is connected, by the names that many connections may share. Adding and removing a session costs the
/// number of its names; a name without sessions vanishes.
class Registry {
public:
    enum class Kind : std::uint8_t { user, role, socket_id, inbox_user, inbox_role };

private:
    struct Key {
        Kind kind;
        std::string name;
    };
    struct KeyView {
        KeyView(Kind of, std::string_view text) noexcept : kind(of), name(text) {}
        KeyView(const Key& key) noexcept : kind(key.kind), name(key.name) {}
        Kind kind;
        std::string_view name;
    };
    struct Hash {
        using is_transparent = void;
        std::uint64_t seed;
        std::size_t operator()(KeyView key) const noexcept {
            return static_cast<std::size_t>(text_hash(seed + static_cast<std::uint64_t>(key.kind), key.name));
        }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(KeyView a, KeyView b) const noexcept { return a.kind == b.kind && a.name == b.name; }
    };
    using Groups = std::unordered_map<Key, std::vector<SessionId>, Hash, Equal>;

public:
    /// Where a session stands under one of its names.
    struct Entry {
        Groups::value_type* group;
        std::uint32_t position;
    };

    explicit Registry(std::uint64_t seed) : groups_(8, Hash{seed}) {}

    /// Under its connection's user id (unless it is empty: anonymous), roles and socket id.
    void add(Session&);
    /// Also under those whom the token of its inbox names.
    void add_inbox(Session&, const phx::server::Identity&);
    /// Idempotent.
    void remove(Session&, SessionTable&);
    /// Until the next add() or remove().
    std::span<const SessionId> find(Kind, std::string_view name) const;
    /// How many names have sessions.
    std::size_t size() const noexcept { return groups_.size(); }

private:
    void add(Session&, Kind, const std::string& name);

    Groups groups_;
};

} // namespace phx::protocol::server
