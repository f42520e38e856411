#include "protocol/realtime/token.hpp"

#include "phx/protocol/base64.hpp"
#include "protocol/realtime/json_members.hpp"

#include <charconv>

namespace phx::protocol::realtime {

std::optional<std::int64_t> token_expiry(std::string_view token) {
    const std::size_t first = token.find('.');
    if (first == token.npos) return {};
    const std::size_t second = token.find('.', first + 1);
    if (second == token.npos) return {};
    const auto claims = base64_decode(token.substr(first + 1, second - first - 1), Base64Alphabet::url,
                                      Base64Padding::unpadded);
    if (!claims) return {};
    const auto exp = json_member(*claims, "exp");
    if (!exp) return {};
    double seconds = 0; // Supabase takes fractions too
    const auto read = std::from_chars(exp->data(), exp->data() + exp->size(), seconds);
    constexpr double year_9999 = 253402300800;
    if (read.ec != std::errc() || read.ptr != exp->data() + exp->size()) return {};
    if (!(seconds >= 0) || seconds > year_9999) return {};
    return static_cast<std::int64_t>(seconds);
}

} // namespace phx::protocol::realtime
