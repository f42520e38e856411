#pragma once

#include "phx/result.hpp"
#include "protocol/auth/algorithm.hpp"
#include "protocol/auth/jwks.hpp"

#include <memory>
#include <openssl/types.h>
#include <string>
#include <string_view>

namespace phx::shell {

/// Signatures of tokens with OpenSSL. A key is only read after it was made: threads may share it.
using SharedKey = std::shared_ptr<EVP_PKEY>;

/// Nothing where OpenSSL refuses it, such as a point that is not on its curve. REQUIRES a kind that is no
/// secret.
SharedKey make_public_key(const protocol::auth::Jwk&);
/// From PEM. Errors: invalid_argument.
Result<SharedKey> read_private_key(const std::string& pem);
bool fits(const EVP_PKEY*, protocol::auth::Algorithm);

std::string hmac(protocol::auth::Algorithm, std::string_view secret, std::string_view text);
/// In constant time.
bool has_hmac(protocol::auth::Algorithm, std::string_view secret, std::string_view text,
              std::string_view expected);

/// REQUIRES that the key fits the algorithm, which is none of HMAC. Signatures are as in RFC 7518: those of
/// EC are two integers side by side, not DER.
bool has_signature(protocol::auth::Algorithm, EVP_PKEY*, std::string_view text, std::string_view signature);
/// Empty where OpenSSL refuses.
std::string sign(protocol::auth::Algorithm, EVP_PKEY*, std::string_view text);

} // namespace phx::shell
