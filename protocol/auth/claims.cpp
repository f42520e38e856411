#include "protocol/auth/claims.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/auth/compact_token.hpp"
#include "protocol/realtime/json_members.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace phx::protocol::auth {
namespace {

using phx::server::Identity;
using phx::server::TokenFault;
using phx::server::TokenRefusal;
using phx::server::TokenRules;
using std::chrono::seconds;
using SystemTime = std::chrono::system_clock::time_point;

enum Name : std::size_t { sub, user_id, role, roles, permissions, exp, nbf, iat, aud, iss, name_count };
constexpr std::array<std::string_view, name_count> names = {"sub", "user_id", "role", "roles", "permissions",
                                                            "exp", "nbf",     "iat",  "aud",   "iss"};

/// The claims that are read, as they were written; empty where there is none. `null` is none, too.
using Values = std::array<std::string_view, name_count>;

std::optional<Values> find_claims(const std::string& json) {
    if (!is_json_object(json, max_claims_depth)) return std::nullopt;
    Values values{};
    realtime::JsonMembers members(json);
    std::string scratch;
    for (realtime::JsonMember member; members.next(member);) {
        const auto found = std::ranges::find(names, unquote(member.name, scratch));
        if (found == names.end()) continue;
        std::string_view& value = values[static_cast<std::size_t>(found - names.begin())];
        // Readers disagree on which of two counts; whoever wrote both wants that.
        if (!value.empty()) return std::nullopt;
        value = member.value;
    }
    std::ranges::replace(values, std::string_view("null"), std::string_view());
    return values;
}

bool is_number(std::string_view value) {
    return !value.empty() && (value.front() == '-' || (value.front() >= '0' && value.front() <= '9'));
}

bool read_text(std::string_view value, std::string& out) {
    auto text = realtime::json_string(value);
    if (text) out = std::move(*text);
    return value.empty() || text;
}

bool add_once(std::vector<std::string>& list, std::string_view value) {
    auto text = realtime::json_string(value);
    if (!text) return false;
    if (!text->empty() && std::ranges::find(list, *text) == list.end()) list.push_back(std::move(*text));
    return true;
}

bool read_list(std::string_view value, std::vector<std::string>& out) {
    if (value.empty()) return true;
    realtime::JsonElements elements(value);
    if (!elements.is_array()) return false;
    for (std::string_view element; elements.next(element);)
        if (!add_once(out, element)) return false;
    return true;
}

/// The first claim that is not of its type.
std::optional<Name> fill(const Values& values, Identity& identity) {
    if (!read_text(values[sub], identity.user_id)) return sub;
    if (identity.user_id.empty()) {
        if (is_number(values[user_id])) {
            identity.user_id = values[user_id];
        } else if (!read_text(values[user_id], identity.user_id)) {
            return user_id;
        }
    }
    if (!values[role].empty() && !add_once(identity.roles, values[role])) return role;
    if (!read_list(values[roles], identity.roles)) return roles;
    if (!read_list(values[permissions], identity.permissions)) return permissions;
    return std::nullopt;
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction, rounded by `round`. Nothing for what is no
/// number, or none that a clock shows.
std::optional<seconds> read_time(std::string_view value, double (*round)(double)) {
    double time = 0;
    const char* const end = value.data() + value.size();
    if (!is_number(value) || std::from_chars(value.data(), end, time).ec != std::errc{}) return std::nullopt;
    time = round(time);
    constexpr auto limit = static_cast<double>(last_second);
    if (!(time >= -limit && time <= limit)) return std::nullopt;
    return seconds(static_cast<std::int64_t>(time));
}

SystemTime time_point_of(seconds since_epoch) {
    constexpr auto last = std::chrono::duration_cast<seconds>(SystemTime::max().time_since_epoch());
    return SystemTime(std::clamp(since_epoch, -last, last));
}

TokenRefusal refuse(TokenFault fault, std::string_view subject = {}) {
    return TokenRefusal{fault, std::string(subject), seconds(0)};
}

std::optional<TokenRefusal> check_presence(const Values& values, const Identity& identity,
                                           const TokenRules& rules) {
    const bool needs_expiry = rules.require_expiry && values[exp].empty();
    const bool needs_role = rules.require_role && identity.roles.empty();
    if (!needs_expiry && !needs_role) return std::nullopt;
    return refuse(TokenFault::claims_missing, !needs_role ? "exp" : !needs_expiry ? "role" : "role and exp");
}

std::optional<TokenRefusal> check_times(const Values& values, const TokenRules& rules, seconds now,
                                        Identity& identity) {
    const auto floor = [](double time) { return std::floor(time); };
    const auto ceil = [](double time) { return std::ceil(time); };
    if (!values[iat].empty() && !read_time(values[iat], floor)) return refuse(TokenFault::bad_time, "iat");
    if (!values[exp].empty()) {
        const auto until = read_time(values[exp], floor);
        if (!until) return refuse(TokenFault::bad_time, "exp");
        if (now >= *until + rules.leeway) return TokenRefusal{TokenFault::expired, "exp", now - *until};
        identity.expires_at = time_point_of(*until + rules.leeway);
    }
    if (!values[nbf].empty()) {
        const auto from = read_time(values[nbf], ceil);
        if (!from) return refuse(TokenFault::bad_time, "nbf");
        if (now + rules.leeway < *from) return refuse(TokenFault::not_yet_valid, "nbf");
    }
    return std::nullopt;
}

bool is_for(std::string_view value, const std::string& audience) {
    if (const auto text = realtime::json_string(value)) return *text == audience;
    std::vector<std::string> list;
    return read_list(value, list) && std::ranges::find(list, audience) != list.end();
}

std::optional<TokenRefusal> check_names(const Values& values, const TokenRules& rules) {
    if (rules.audience && !is_for(values[aud], *rules.audience)) return refuse(TokenFault::audience, "aud");
    if (rules.issuer && realtime::json_string(values[iss]) != rules.issuer)
        return refuse(TokenFault::issuer, "iss");
    return std::nullopt;
}

} // namespace

phx::server::TokenVerdict read_claims(std::string_view payload, const TokenRules& rules, SystemTime now) {
    auto json = base64_decode(payload, Base64Alphabet::url, Base64Padding::unpadded);
    const auto values = json ? find_claims(*json) : std::nullopt;
    if (!values) return refuse(TokenFault::malformed);
    Identity identity;
    if (const auto bad = fill(*values, identity)) return refuse(TokenFault::bad_claim, names[*bad]);
    if (auto refusal = check_presence(*values, identity, rules)) return std::move(*refusal);
    const auto second = std::chrono::floor<seconds>(now.time_since_epoch());
    if (auto refusal = check_times(*values, rules, second, identity)) return std::move(*refusal);
    if (auto refusal = check_names(*values, rules)) return std::move(*refusal);
    identity.claims = std::move(*json);
    return identity;
}

} // namespace phx::protocol::auth
