#include "phx/protocol/codec.hpp"
#include "protocol/client/presence.hpp"
#include "tests/fuzz/codec_fuzz_support.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace {

using namespace phx;
using namespace phx::protocol;

constexpr PresenceLimits limits{
    .max_entries = 8, .max_bytes = 4096, .max_pending_diffs = 3, .max_pending_bytes = 256};

void check(const PresenceSync& presence, const PresenceNews& news) {
    std::size_t bytes = 0, entries = 0;
    for (const PresenceEntry& entry : presence.store().state()) {
        ++entries;
        bytes += presence_bytes(entry);
        fuzz::require(!entry.metas.empty(), "who is listed is present");
        fuzz::require(*presence.store().find(entry.key) == entry, "what is listed is found");
        fuzz::require(validate_json(entry.fields, 8192).has_value(), "the fields are JSON");
        for (const PresenceMeta& meta : entry.metas)
            fuzz::require(validate_json(meta.text(), 8192).has_value(), "a meta is JSON");
    }
    fuzz::require(entries == presence.store().size() && entries <= limits.max_entries, "bounded entries");
    fuzz::require(bytes == presence.store().bytes() && bytes <= limits.max_bytes, "bounded bytes");
    for (const Error& error : news.errors) {
        fuzz::require(error.origin == Origin::peer, "it is the peer's fault");
        fuzz::require(!error.message.empty() && error.message.size() < 200, "a short message");
    }
    for (const PresenceChange& change : news.changes) {
        const bool is_update = change.kind == PresenceChange::Kind::updated;
        fuzz::require(is_update ? change.before && !change.now->metas.empty()
                                : !change.changed->metas.empty(),
                      "a change has what changed");
    }
}

} // namespace

/// Lines: 's' and a state, 'd' and a diff, anything else joins again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    PresenceSync presence(limits, size);
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        PresenceNews news;
        if (line.starts_with('s')) {
            news = presence.handle_state(line.substr(1));
        } else if (line.starts_with('d')) {
            news = presence.handle_diff(line.substr(1));
        } else {
            presence.handle_joining();
        }
        check(presence, news);
    }
    return 0;
}
