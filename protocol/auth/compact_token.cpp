#include "protocol/auth/compact_token.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/wire/json_text.hpp"

#include <algorithm>
#include <vector>

namespace phx::protocol::auth {
namespace {

bool read_header(std::string_view json, CompactToken& token) {
    if (!is_json_object(json, max_header_depth)) return false;
    std::vector<std::string> names;
    bool has_algorithm = false;
    realtime::JsonMembers members(json);
    for (realtime::JsonMember member; members.next(member);) {
        std::string scratch;
        std::string name(unquote(member.name, scratch));
        // RFC 7515 section 4: names are unique. The cap keeps the search linear.
        if (names.size() == max_header_members || std::ranges::find(names, name) != names.end()) return false;
        const auto text = realtime::json_string(member.value);
        if (name == "alg") {
            if (!text) return false;
            has_algorithm = true;
            token.algorithm = algorithm_named(*text);
        } else if (name == "kid") {
            if (!text) return false;
            token.kid = text;
        } else if (name == "crit" || name == "zip") {
            return false; // RFC 7515 section 4.1.11: what is critical and not understood is refused
        }
        names.push_back(std::move(name));
    }
    return has_algorithm;
}

} // namespace

bool is_json_object(std::string_view text, std::size_t max_depth) {
    wire::JsonReader reader(text, max_depth);
    std::string_view value;
    reader.skip_space();
    return reader.peek() == '{' && reader.value(value) && reader.finish();
}

std::optional<CompactToken> read_compact_token(std::string_view text) {
    if (text.size() > max_token_bytes) return std::nullopt;
    const std::size_t first = text.find('.');
    const std::size_t last = text.rfind('.');
    if (first == text.npos || first == last) return std::nullopt;
    CompactToken token;
    token.signed_text = text.substr(0, last);
    token.payload = text.substr(first + 1, last - first - 1);
    // A dot in the payload is no character of base64url, so a fourth part ends here as well.
    const auto header = base64_decode(text.substr(0, first), Base64Alphabet::url, Base64Padding::unpadded);
    auto signature = base64_decode(text.substr(last + 1), Base64Alphabet::url, Base64Padding::unpadded);
    const bool is_plain = std::ranges::find(token.payload, '.') == token.payload.end();
    if (!header || !signature || !is_plain || !read_header(*header, token)) return std::nullopt;
    token.signature = std::move(*signature);
    return token;
}

} // namespace phx::protocol::auth
