#pragma once

#include "phx/error.hpp"
#include "phx/protocol/presence.hpp"
#include "protocol/wire/text_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol {

/// Peers choose the keys of presences: the hash is seeded.
struct KeyHash {
    std::uint64_t seed = 0;
    std::size_t operator()(std::string_view key) const noexcept { return text_hash(seed, key); }
};
template <class T> using KeyMap = std::unordered_map<std::string_view, T, KeyHash>;

/// What an entry counts against PresenceLimits::max_bytes.
std::size_t presence_bytes(const PresenceEntry&) noexcept;

/// The presences of one object, in its order, each key once.
struct PresenceList {
    explicit PresenceList(KeyHash hash) : index(0, hash) {}
    /// Null if the key is not there.
    PresencePtr find(std::string_view key) const;

    std::vector<PresencePtr> entries = {};
    KeyMap<std::size_t> index; ///< views of the keys of `entries`
};

/// Collects what is wrong with a payload: the first fault, and how many there are.
class PresenceFaults {
public:
    /// `number` is that of the presence in `where`, 0 if it is about no single one.
    void add(Errc, const char* where, std::size_t number, const char* what);
    bool any() const noexcept { return count_ != 0; }
    Error error() const;

private:
    Error first_ = {};
    std::size_t count_ = 0;
};

/// Reads payloads of presence_state and presence_diff. What is malformed or exceeds the limits is left out
/// and noted as a fault; everything else is read. Metas without a phx_ref are malformed, for nothing else
/// names them.
class PresenceReader {
public:
    PresenceReader(const PresenceLimits& limits, PresenceFaults& faults) : limits_(limits), faults_(faults) {}

    /// `{"KEY":{"metas":[{"phx_ref":"REF",...},...],...},...}`. False, with a fault, if it is no object.
    bool read_state(std::string_view payload, PresenceList& out);
    /// `{"joins":{...},"leaves":{...}}`, each as a state. False likewise.
    bool read_diff(std::string_view payload, PresenceList& joins, PresenceList& leaves);

private:
    void read_part(std::optional<std::string_view> part, const char* name, PresenceList& out);
    bool read_entries(std::string_view object, const char* where, PresenceList& out);
    std::optional<PresenceEntry> read_entry(std::string_view presence, std::string key);
    bool read_metas(std::string_view array, std::vector<PresenceMeta>& metas);
    void note(Errc, const char* what);

    const PresenceLimits& limits_;
    PresenceFaults& faults_;
    const char* where_ = "";
    std::size_t number_ = 0;     ///< of the presence that is read, from 1
    std::size_t left_bytes_ = 0; ///< of the part that is read
};

} // namespace phx::protocol
