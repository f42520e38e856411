#include "tests/conformance/fresh_tokens.hpp"

#include "phx/protocol/base64.hpp"
#include "tests/conformance/supabase_scenario.hpp"

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <regex>

namespace phx::conformance {

using nlohmann::json;

namespace {

using protocol::Base64Alphabet;
using protocol::Base64Padding;

constexpr std::string_view unknown_secret = "another secret, which the server does not know";

std::string encoded(std::string_view text) {
    return protocol::base64_encode(text, Base64Alphabet::url, Base64Padding::unpadded);
}

std::string decoded(std::string_view text) {
    return protocol::base64_decode(text, Base64Alphabet::url, Base64Padding::unpadded).value_or("");
}

std::string signature_of(std::string_view text, const std::string& algorithm, std::string_view secret) {
    const EVP_MD* const hash = algorithm == "HS512" ? EVP_sha512() : EVP_sha256();
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned length = 0;
    HMAC(hash, secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data(), &length);
    return encoded({reinterpret_cast<const char*>(bytes.data()), length});
}

/// Its times, moved by its age.
std::string claims_now(const std::string& payload) {
    using namespace std::chrono;
    json claims = json::parse(payload, nullptr, false);
    if (!claims.is_object() || !claims.contains("iat")) return payload;
    const std::int64_t now = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
    const std::int64_t age = now - claims["iat"].get<std::int64_t>();
    for (const char* time : {"iat", "exp"})
        if (claims.contains(time)) claims[time] = claims[time].get<std::int64_t>() + age;
    return claims.dump();
}

std::string fresh_token(const std::smatch& parts) {
    const json header = json::parse(decoded(parts.str(1)), nullptr, false);
    const std::string text = parts.str(1) + '.' + encoded(claims_now(decoded(parts.str(2))));
    if (parts.str(3).empty()) return text + '.'; // "alg":"none"
    const std::string_view secret = is_forged(parts.str(0)) ? unknown_secret : replay_secret;
    return text + '.' + signature_of(text, header.value("alg", ""), secret);
}

} // namespace

std::string with_fresh_tokens(std::string_view text) {
    static const std::regex token(R"((eyJ[\w-]+)\.([\w-]+)\.([\w-]*))");
    std::string rest(text), fresh;
    for (std::smatch found; std::regex_search(rest, found, token); rest = found.suffix())
        fresh += found.prefix().str() + fresh_token(found);
    return fresh + rest;
}

} // namespace phx::conformance
