#include "protocol/client/presence_payload.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"

#include <memory>
#include <utility>

namespace phx::protocol {
namespace {

using realtime::JsonElements;
using realtime::JsonMember;
using realtime::JsonMembers;

// What the tables need beside the texts, rounded up.
constexpr std::size_t entry_bytes = 256;
constexpr std::size_t meta_bytes = 128;

std::size_t bytes_of(const PresenceMeta& meta) noexcept {
    return meta_bytes + meta.ref().size() + meta.text().size();
}

} // namespace

std::size_t presence_bytes(const PresenceEntry& entry) noexcept {
    std::size_t bytes = entry_bytes + 2 * entry.key.size() + entry.fields.size();
    for (const PresenceMeta& meta : entry.metas) bytes += bytes_of(meta);
    return bytes;
}

PresencePtr PresenceList::find(std::string_view key) const {
    const auto found = index.find(key);
    return found == index.end() ? nullptr : entries[found->second];
}

void PresenceFaults::add(Errc code, const char* where, std::size_t number, const char* what) {
    if (count_++ != 0) return;
    std::string message = where;
    if (number != 0) message += ", presence " + std::to_string(number);
    first_ = fail(code, std::move(message.append(": ").append(what)), Origin::peer).error;
}

Error PresenceFaults::error() const {
    Error error = first_;
    if (count_ > 1) error.message += " (and " + std::to_string(count_ - 1) + " more faults)";
    return error;
}

void PresenceReader::note(Errc code, const char* what) { faults_.add(code, where_, number_, what); }

bool PresenceReader::read_state(std::string_view payload, PresenceList& out) {
    if (read_entries(payload, "presence state", out)) return true;
    faults_.add(Errc::invalid_payload, where_, 0, "it is no object");
    return false;
}

bool PresenceReader::read_diff(std::string_view payload, PresenceList& joins, PresenceList& leaves) {
    JsonMembers members(payload);
    JsonMember member;
    std::string scratch;
    std::optional<std::string_view> joins_text, leaves_text;
    while (members.next(member)) { // of a repeated name the last counts, as in JSON.parse
        const std::string_view name = unquote(member.name, scratch);
        if (name == "joins") joins_text = member.value;
        if (name == "leaves") leaves_text = member.value;
    }
    if (!members.complete()) {
        faults_.add(Errc::invalid_payload, "presence diff", 0, "it is no object");
        return false;
    }
    read_part(joins_text, "joins of a presence diff", joins);
    read_part(leaves_text, "leaves of a presence diff", leaves);
    return true;
}

void PresenceReader::read_part(std::optional<std::string_view> part, const char* where, PresenceList& out) {
    if (part && read_entries(*part, where, out)) return;
    faults_.add(Errc::invalid_payload, where, 0, "it is no object");
}

bool PresenceReader::read_entries(std::string_view object, const char* where, PresenceList& out) {
    where_ = where;
    number_ = 0;
    left_bytes_ = limits_.max_bytes;
    JsonMembers members(object);
    JsonMember member;
    std::string scratch;
    while (members.next(member)) {
        ++number_;
        const std::string_view key = unquote(member.name, scratch);
        if (out.index.contains(key)) {
            note(Errc::invalid_payload, "its key was there before");
            continue;
        }
        auto entry = read_entry(member.value, std::string(key));
        if (!entry || entry->metas.empty()) continue;
        const std::size_t bytes = presence_bytes(*entry);
        if (out.entries.size() == limits_.max_entries || bytes > left_bytes_) {
            note(Errc::buffer_full, "it and what follows exceeds PresenceLimits");
            return true;
        }
        left_bytes_ -= bytes;
        out.entries.push_back(std::make_shared<const PresenceEntry>(std::move(*entry)));
        out.index.emplace(out.entries.back()->key, out.entries.size() - 1);
    }
    return members.complete();
}

std::optional<PresenceEntry> PresenceReader::read_entry(std::string_view presence, std::string key) {
    PresenceEntry entry{std::move(key), {}, "{"};
    JsonMembers members(presence);
    JsonMember member;
    std::string scratch;
    std::optional<std::string_view> metas;
    while (members.next(member)) {
        if (unquote(member.name, scratch) == "metas") {
            metas = member.value;
            continue;
        }
        if (entry.fields.size() > 1) entry.fields.push_back(',');
        entry.fields.append(member.name.text).append(":").append(member.value);
    }
    if (!members.is_object()) return note(Errc::invalid_payload, "it is no object"), std::nullopt;
    if (!metas) return note(Errc::invalid_payload, "it has no metas"), std::nullopt;
    entry.fields.push_back('}');
    if (!read_metas(*metas, entry.metas)) return std::nullopt;
    return entry;
}

bool PresenceReader::read_metas(std::string_view array, std::vector<PresenceMeta>& metas) {
    JsonElements elements(array);
    if (!elements.is_array()) return note(Errc::invalid_payload, "its metas are no array"), false;
    std::string_view text;
    std::size_t bytes = 0;
    while (elements.next(text)) {
        const auto token = realtime::json_member(text, "phx_ref");
        auto ref = token ? realtime::json_string(*token) : std::nullopt;
        if (!ref) {
            note(Errc::invalid_payload, "a meta without a phx_ref that is a string");
            continue;
        }
        metas.emplace_back(std::move(*ref), std::string(text));
        bytes += bytes_of(metas.back());
        if (bytes > left_bytes_) break; // read_entries() finds that it is too much
    }
    return true;
}

} // namespace phx::protocol
