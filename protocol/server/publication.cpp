#include "protocol/server/publication.hpp"

#include <cstddef>

namespace phx::protocol::server {
namespace {

using phx::server::Route;

constexpr char version = 1;

void append_field(std::string& out, std::string_view field) {
    const auto size = static_cast<std::uint32_t>(field.size());
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(size >> shift & 0xff));
    out.append(field);
}

/// Reads field after field; once one is cut off, none follows.
class Fields {
public:
    explicit Fields(std::string_view bytes) : rest_(bytes) {}

    bool next(std::string_view& field) {
        if (rest_.size() < 4) return false;
        std::uint32_t size = 0;
        for (std::size_t i = 0; i < 4; ++i)
            size |= std::uint32_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        if (rest_.size() - 4 < size) return false;
        field = rest_.substr(4, size);
        rest_.remove_prefix(4 + std::size_t{size});
        return true;
    }
    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

} // namespace

void append_publication(std::string& out, const Publication& publication) {
    out.push_back(version);
    out.push_back(static_cast<char>(publication.kind));
    out.push_back(publication.opcode == Opcode::text ? '\0' : '\1');
    out.push_back(static_cast<char>(publication.route));
    out.push_back(publication.user_event ? '\6' : '\5');
    append_field(out, publication.event);
    append_field(out, publication.payload);
    append_field(out, publication.target);
    append_field(out, publication.skipped_server);
    append_field(out, publication.metadata);
    if (publication.user_event) append_field(out, *publication.user_event);
}

std::optional<Publication> read_publication(std::string_view bytes) {
    if (bytes.size() < 5 || bytes[0] != version) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (byte(1) > static_cast<unsigned char>(Publication::Kind::disconnect)) return std::nullopt;
    if (byte(2) > 1 || byte(3) > static_cast<unsigned char>(Route::Kind::topic)) return std::nullopt;
    if (byte(4) != 5 && byte(4) != 6) return std::nullopt;
    Publication publication;
    publication.kind = static_cast<Publication::Kind>(byte(1));
    publication.opcode = byte(2) == 0 ? Opcode::text : Opcode::binary;
    publication.route = static_cast<Route::Kind>(byte(3));
    Fields fields(bytes.substr(5));
    if (!fields.next(publication.event) || !fields.next(publication.payload) ||
        !fields.next(publication.target) || !fields.next(publication.skipped_server) ||
        !fields.next(publication.metadata))
        return std::nullopt;
    if (byte(4) == 6 && !fields.next(publication.user_event.emplace())) return std::nullopt;
    return fields.at_end() ? std::optional(publication) : std::nullopt;
}

void append_presence_value(std::string& out, const PresenceValue& value) {
    for (const std::string_view field : {value.key, value.members, value.ref, value.previous_ref})
        append_field(out, field);
}

std::optional<PresenceValue> read_presence_value(std::string_view bytes) {
    PresenceValue value;
    Fields fields(bytes);
    const bool is_whole = fields.next(value.key) && fields.next(value.members) && fields.next(value.ref) &&
                          fields.next(value.previous_ref) && fields.at_end();
    return is_whole ? std::optional(value) : std::nullopt;
}

} // namespace phx::protocol::server
