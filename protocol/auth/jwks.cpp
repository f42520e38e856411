#include "protocol/auth/jwks.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/auth/compact_token.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/wire/json_text.hpp"
#include "protocol/wire/utf8.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace phx::protocol::auth {
namespace {

constexpr std::size_t max_set_depth = 16;

enum Name : std::size_t { kty, use, key_ops, alg, kid, crv, k, n, e, x, y, name_count };
constexpr std::array<std::string_view, name_count> names = {"kty", "use", "key_ops", "alg", "kid", "crv",
                                                            "k",   "n",   "e",       "x",   "y"};

/// What cannot be used, for a person to read; nullptr: all is well.
using Fault = const char*;

/// The members of one key that are read, as they were written; empty where there is none.
struct Members {
    std::array<std::string_view, name_count> values = {};

    bool has(Name name) const noexcept { return !values[name].empty(); }
    std::optional<std::string> text(Name name) const { return realtime::json_string(values[name]); }
    std::optional<std::string> bytes(Name name) const {
        const auto encoded = text(name);
        if (!encoded) return std::nullopt;
        return base64_decode(*encoded, Base64Alphabet::url, Base64Padding::unpadded);
    }
};

Fault find_members(std::string_view json, Members& found) {
    realtime::JsonMembers members(json);
    if (!members.is_object()) return "it is no JSON object";
    std::string scratch;
    for (realtime::JsonMember member; members.next(member);) {
        const auto name = std::ranges::find(names, unquote(member.name, scratch));
        if (name == names.end()) continue;
        std::string_view& value = found.values[static_cast<std::size_t>(name - names.begin())];
        if (!value.empty()) return "it has a member twice";
        value = member.value;
    }
    return nullptr;
}

/// RFC 7517 section 4.3.
bool may_verify(std::string_view operations) {
    realtime::JsonElements elements(operations);
    for (std::string_view element; elements.next(element);)
        if (realtime::json_string(element) == "verify") return true;
    return false;
}

void drop_leading_zeros(std::string& integer) {
    integer.erase(0, std::min(integer.find_first_not_of('\0'), integer.size()));
}

std::size_t bits_of(std::string_view integer) {
    if (integer.empty()) return 0;
    return integer.size() * 8 -
           static_cast<std::size_t>(std::countl_zero(static_cast<unsigned char>(integer.front())));
}

Fault read_secret(const Members& members, Jwk& key) {
    auto secret = members.bytes(k);
    if (!secret) return "`k` is missing or no base64url";
    if (secret->size() < min_secret_bytes) return "the secret has less than 32 bytes";
    if (secret->size() > max_secret_bytes) return "the secret has more than 1024 bytes";
    key.kind = KeyKind::secret;
    key.first = std::move(*secret);
    return nullptr;
}

Fault read_rsa(const Members& members, Jwk& key) {
    auto modulus = members.bytes(n);
    auto exponent = members.bytes(e);
    if (!modulus || !exponent) return "`n` or `e` is missing or no base64url";
    drop_leading_zeros(*modulus);
    drop_leading_zeros(*exponent);
    if (bits_of(*modulus) < min_rsa_bits) return "an RSA key needs 2048 bits";
    if (bits_of(*modulus) > max_rsa_bits) return "an RSA key has 8192 bits at the most";
    const bool is_one = *exponent == "\1";
    if (exponent->empty() || is_one || exponent->size() > 4 || exponent->back() % 2 == 0)
        return "`e` is no exponent: an odd number from 3 on, of 32 bits";
    key.kind = KeyKind::rsa;
    key.first = std::move(*modulus);
    key.second = std::move(*exponent);
    return nullptr;
}

Fault read_ec(const Members& members, Jwk& key) {
    const auto curve = members.text(crv);
    if (curve != "P-256" && curve != "P-384" && curve != "P-521")
        return "`crv` of an EC key is P-256, P-384 or P-521";
    key.kind = curve == "P-256" ? KeyKind::p256 : curve == "P-384" ? KeyKind::p384 : KeyKind::p521;
    auto first = members.bytes(x);
    auto second = members.bytes(y);
    // RFC 7518 section 6.2.1.2: in full length, zeros included.
    const std::size_t size = coordinate_bytes(key.kind);
    if (!first || !second || first->size() != size || second->size() != size)
        return "`x` or `y` is missing, no base64url, or not as long as the curve says";
    key.first = std::move(*first);
    key.second = std::move(*second);
    return nullptr;
}

Fault read_okp(const Members& members, Jwk& key) {
    if (members.text(crv) != "Ed25519") return "`crv` of an OKP key is Ed25519";
    auto point = members.bytes(x);
    if (!point || point->size() != 32) return "`x` is missing, no base64url, or not of 32 bytes";
    key.kind = KeyKind::ed25519;
    key.first = std::move(*point);
    return nullptr;
}

Fault read_material(const Members& members, Jwk& key) {
    const auto type = members.text(kty);
    if (type == "oct") return read_secret(members, key);
    if (type == "RSA") return read_rsa(members, key);
    if (type == "EC") return read_ec(members, key);
    if (type == "OKP") return read_okp(members, key);
    return "`kty` is oct, RSA, EC or OKP";
}

Fault read_purpose(const Members& members, Jwk& key) {
    if (members.has(use) && members.text(use) != "sig") return "its `use` is neither \"sig\" nor \"enc\"";
    if (members.has(key_ops) && !may_verify(members.values[key_ops])) return "its `key_ops` lacks \"verify\"";
    if (!members.has(alg)) return nullptr;
    key.only = algorithm_named(members.text(alg).value_or(""));
    if (!key.only || !fits(key.kind, *key.only)) return "its `alg` is none that such a key verifies";
    return nullptr;
}

std::string label_of(std::size_t index, const std::optional<std::string>& id) {
    std::string label = "key " + std::to_string(index + 1);
    if (!id) return label;
    // Through the JSON writer: a kid may hold anything, and the message is one line.
    label.append(" (kid ");
    append_json_string(label, utf8_prefix(*id, 64));
    return label.append(")");
}

/// Where it leaves `key` empty and finds no fault, the key is for something else.
Fault read_key(std::string_view json, std::size_t index, std::optional<Jwk>& out) {
    Members members;
    Jwk key;
    Fault fault = find_members(json, members);
    key.kid = members.text(kid);
    key.label = label_of(index, key.kid);
    // RFC 7517 section 4.2; a set often has keys for encryption, too.
    if (fault == nullptr && members.text(use) == "enc") return nullptr;
    if (fault == nullptr && members.has(kid) && !key.kid) fault = "its `kid` is no string";
    if (fault == nullptr) fault = read_material(members, key);
    if (fault == nullptr) fault = read_purpose(members, key);
    out = std::move(key);
    return fault;
}

Failure refuse(std::string_view what) {
    return fail(Errc::invalid_argument, "the JWKS cannot be used: " + std::string(what));
}

Fault check_set(const std::vector<Jwk>& keys, const Jwk& key) {
    const auto has_same_id = [&](const Jwk& other) { return other.kid == key.kid && other.kind == key.kind; };
    const auto same = static_cast<std::size_t>(std::ranges::count_if(keys, has_same_id));
    if (key.kid && same != 0) return "another key of its type has the same `kid`";
    const auto without = std::ranges::count_if(keys, [](const Jwk& other) { return !other.kid; });
    if (!key.kid && static_cast<std::size_t>(without) == max_keys_without_kid)
        return "there are 8 keys without a `kid` before it; give each its own";
    return nullptr;
}

} // namespace

Result<std::vector<Jwk>> read_jwks(std::string_view json) {
    if (json.size() > max_jwks_bytes) return refuse("it has more than 1 MiB");
    if (!is_json_object(json, max_set_depth)) return refuse("it is no JSON object");
    const auto list = realtime::json_member(json, "keys");
    realtime::JsonElements elements(list.value_or(""));
    if (!elements.is_array()) return refuse("it has no list `keys`");
    std::vector<Jwk> keys;
    std::size_t index = 0;
    for (std::string_view element; elements.next(element); ++index) {
        if (index == max_jwks_keys) return refuse("it has more than 100 keys");
        std::optional<Jwk> key;
        Fault fault = read_key(element, index, key);
        if (!key) continue;
        if (fault == nullptr) fault = check_set(keys, *key);
        if (fault != nullptr) return refuse(key->label + ": " + fault);
        keys.push_back(std::move(*key));
    }
    if (keys.empty()) return refuse("it has no key that verifies signatures");
    return keys;
}

} // namespace phx::protocol::auth
