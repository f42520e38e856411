#include "protocol/auth/jwks.hpp"
#include "tests/fuzz/codec_fuzz_support.hpp"

#include <cstdint>
#include <string_view>

namespace {

using namespace phx;
using namespace phx::protocol::auth;

void check_key(const Jwk& key) {
    const std::size_t size = key.first.size();
    switch (key.kind) {
    case KeyKind::secret:
        fuzz::require(size >= min_secret_bytes && size <= max_secret_bytes, "secret");
        break;
    case KeyKind::rsa:
        fuzz::require(size >= min_rsa_bits / 8 && size <= max_rsa_bits / 8 && !key.second.empty(), "RSA");
        break;
    case KeyKind::ed25519: fuzz::require(size == 32, "Ed25519"); break;
    default:
        fuzz::require(size == coordinate_bytes(key.kind) && key.second.size() == size,
                      "a point of its curve");
    }
    bool serves_one = false;
    for (int i = 0; i <= static_cast<int>(Algorithm::eddsa); ++i) {
        const auto algorithm = static_cast<Algorithm>(i);
        if (!key.serves(algorithm)) continue;
        serves_one = true;
        fuzz::require(is_hmac(algorithm) == (key.kind == KeyKind::secret), "no public key is a secret");
    }
    fuzz::require(serves_one, "good for something");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of exactly this size: the sanitizer sees a read past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size != 0) std::memcpy(copy.get(), data, size);
    const auto keys = read_jwks({copy.get(), size});
    if (!keys) {
        fuzz::require(keys.error().code == Errc::invalid_argument, "the promised code");
        fuzz::require(keys.error().message.size() < 600, "a short message");
        fuzz::require(keys.error().message.find('\n') == std::string::npos, "of one line");
        return 0;
    }
    fuzz::require(!keys->empty() && keys->size() <= max_jwks_keys, "bounded");
    for (const Jwk& key : *keys) check_key(key);
    return 0;
}
