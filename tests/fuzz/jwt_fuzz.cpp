#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/auth/claims.hpp"
#include "protocol/auth/compact_token.hpp"
#include "protocol/auth/refusal_text.hpp"
#include "tests/fuzz/codec_fuzz_support.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace {

using namespace phx;
using namespace phx::protocol;
using server::TokenFault;

constexpr auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000));

void check_text(const std::string& text) {
    fuzz::require(!text.empty() && text.size() < 512, "a short text");
    fuzz::require(text.find('\n') == std::string::npos, "one line");
}

void check_claims(std::string_view payload) {
    const server::TokenRules rules{.require_role = true};
    const auto verdict = auth::read_claims(payload, rules, now);
    if (const auto* refusal = std::get_if<server::TokenRefusal>(&verdict)) {
        fuzz::require(refusal->expired_for.count() >= 0, "it expired in the past");
        check_text(auth::sentence_of(*refusal));
        check_text(auth::supabase_join_reason(*refusal));
        return;
    }
    const auto& bearer = std::get<server::Identity>(verdict);
    fuzz::require(bearer.expires_at && *bearer.expires_at > now, "good from now on");
    fuzz::require(!bearer.roles.empty(), "a role");
    fuzz::require(validate_json(bearer.claims, auth::max_claims_depth).has_value(), "the claims are JSON");
}

} // namespace

/// Each input is taken for a token, for the claims of one, and for its header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of exactly this size: the sanitizer sees a read past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size != 0) std::memcpy(copy.get(), data, size);
    const std::string_view text(copy.get(), size);
    const std::string encoded = base64_encode(text, Base64Alphabet::url, Base64Padding::unpadded);
    for (const std::string& token : {std::string(text), encoded + ".e30.AAAA"}) {
        const auto parts = auth::read_compact_token(token);
        if (!parts) continue;
        fuzz::require(token.size() <= auth::max_token_bytes, "bounded");
        fuzz::require(parts->signed_text.ends_with(parts->payload), "the payload is signed");
        check_claims(parts->payload);
    }
    check_claims(encoded);
    return 0;
}
