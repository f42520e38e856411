#include "src/server/signature.hpp"

#include <array>
#include <limits>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

namespace phx::shell {
namespace {

using protocol::auth::Algorithm;
using protocol::auth::Jwk;
using protocol::auth::KeyKind;

template <auto free> struct Free {
    template <class T> void operator()(T* object) const { free(object); }
};
template <class T, auto free> using Owned = std::unique_ptr<T, Free<free>>;
using BigNumber = Owned<BIGNUM, BN_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Parameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using ParameterBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using EcSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

BigNumber number(std::string_view big_endian) {
    return BigNumber(BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

/// None of EdDSA, which hashes by itself.
const char* digest_of(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::hs256:
    case Algorithm::rs256:
    case Algorithm::es256: return "SHA256";
    case Algorithm::hs384:
    case Algorithm::rs384:
    case Algorithm::es384: return "SHA384";
    case Algorithm::hs512:
    case Algorithm::rs512:
    case Algorithm::es512: return "SHA512";
    case Algorithm::eddsa: break;
    }
    return nullptr;
}

const char* group_of(KeyKind kind) {
    return kind == KeyKind::p256 ? "prime256v1" : kind == KeyKind::p384 ? "secp384r1" : "secp521r1";
}

/// The two integers of a signature fill as many bytes each; none for what is not of EC.
std::size_t half_signature(Algorithm algorithm) {
    for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521})
        if (protocol::auth::fits(kind, algorithm)) return protocol::auth::coordinate_bytes(kind);
    return 0;
}

SharedKey share(EVP_PKEY* key) {
    ERR_clear_error(); // what was wrong is told in our words
    return key ? SharedKey(key, EVP_PKEY_free) : nullptr;
}

EVP_PKEY* key_from(const char* type, OSSL_PARAM_BLD* builder) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
    if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) return nullptr;
    return key;
}

EVP_PKEY* rsa_key(const Jwk& jwk) {
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    const BigNumber modulus = number(jwk.first);
    const BigNumber exponent = number(jwk.second);
    if (!builder || !modulus || !exponent ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return nullptr;
    }
    return key_from("RSA", builder.get());
}

EVP_PKEY* ec_key(const Jwk& jwk) {
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    const std::string point = "\4" + jwk.first + jwk.second; // SEC 1: not compressed
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group_of(jwk.kind), 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
        return nullptr;
    }
    return key_from("EC", builder.get());
}

/// DER, as OpenSSL wants it.
std::string der_of(std::string_view signature, std::size_t half) {
    const EcSignature pair(ECDSA_SIG_new());
    BigNumber r = number(signature.substr(0, half));
    BigNumber s = number(signature.substr(half));
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
    static_cast<void>(r.release()); // the pair owns them now
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &der);
    if (size <= 0) return {};
    std::string result(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return result;
}

std::string raw_of(std::string_view der, std::size_t half) {
    const unsigned char* start = bytes(der);
    const EcSignature pair(d2i_ECDSA_SIG(nullptr, &start, static_cast<long>(der.size())));
    std::string raw(2 * half, '\0');
    const int size = static_cast<int>(half);
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), bytes(raw), size) != size ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), bytes(raw) + half, size) != size) {
        return {};
    }
    return raw;
}

} // namespace

SharedKey make_public_key(const Jwk& jwk) {
    if (jwk.kind == KeyKind::ed25519) {
        return share(
            EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes(jwk.first), jwk.first.size()));
    }
    return share(jwk.kind == KeyKind::rsa ? rsa_key(jwk) : ec_key(jwk));
}

Result<SharedKey> read_private_key(const std::string& pem) {
    const Owned<BIO, BIO_free_all> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // Without a callback OpenSSL asks for a password on the terminal.
    const auto no_password = [](char*, int, int, void*) { return -1; };
    SharedKey key =
        share(text ? PEM_read_bio_PrivateKey(text.get(), nullptr, no_password, nullptr) : nullptr);
    if (!key) return fail(Errc::invalid_argument, "the key is no private key in PEM without a password");
    return key;
}

bool fits(const EVP_PKEY* key, Algorithm algorithm) {
    if (protocol::auth::fits(KeyKind::rsa, algorithm)) {
        const int bits = EVP_PKEY_get_bits(key);
        return EVP_PKEY_is_a(key, "RSA") == 1 && bits >= static_cast<int>(protocol::auth::min_rsa_bits);
    }
    if (protocol::auth::fits(KeyKind::ed25519, algorithm)) return EVP_PKEY_is_a(key, "ED25519") == 1;
    std::array<char, 32> group{};
    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(),
                                       nullptr) != 1) {
        return false;
    }
    for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521})
        if (protocol::auth::fits(kind, algorithm)) return std::string_view(group.data()) == group_of(kind);
    return false;
}

std::string hmac(Algorithm algorithm, std::string_view secret, std::string_view text) {
    std::string code(EVP_MAX_MD_SIZE, '\0');
    std::size_t size = 0;
    if (EVP_Q_mac(nullptr, "HMAC", nullptr, digest_of(algorithm), nullptr, secret.data(), secret.size(),
                  bytes(text), text.size(), bytes(code), code.size(), &size) == nullptr) {
        ERR_clear_error();
        size = 0;
    }
    code.resize(size);
    return code;
}

bool has_hmac(Algorithm algorithm, std::string_view secret, std::string_view text,
              std::string_view expected) {
    const std::string code = hmac(algorithm, secret, text);
    return !code.empty() && code.size() == expected.size() &&
           CRYPTO_memcmp(code.data(), expected.data(), code.size()) == 0;
}

bool has_signature(Algorithm algorithm, EVP_PKEY* key, std::string_view text, std::string_view signature) {
    std::string der;
    if (const std::size_t half = half_signature(algorithm); half != 0) {
        if (signature.size() != 2 * half) return false;
        der = der_of(signature, half);
        signature = der;
    }
    const DigestContext context(EVP_MD_CTX_new());
    const bool good =
        context &&
        EVP_DigestVerifyInit_ex(context.get(), nullptr, digest_of(algorithm), nullptr, nullptr, key,
                                nullptr) == 1 &&
        EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
    ERR_clear_error();
    return good;
}

std::string sign(Algorithm algorithm, EVP_PKEY* key, std::string_view text) {
    const DigestContext context(EVP_MD_CTX_new());
    std::string signature;
    std::size_t size = 0;
    bool good = context &&
                EVP_DigestSignInit_ex(context.get(), nullptr, digest_of(algorithm), nullptr, nullptr, key,
                                      nullptr) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, bytes(text), text.size()) == 1;
    if (good) {
        signature.resize(size);
        good = EVP_DigestSign(context.get(), bytes(signature), &size, bytes(text), text.size()) == 1;
    }
    ERR_clear_error();
    signature.resize(good ? size : 0);
    const std::size_t half = half_signature(algorithm);
    return half == 0 ? signature : raw_of(signature, half);
}

} // namespace phx::shell
