#include "protocol/wire/handshake.hpp"

#include "protocol/wire/sha1.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::protocol {
namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

std::string sha1_hex(std::string_view bytes) {
    const auto digest = sha1(bytes);
    return hex({digest.data(), digest.size()});
}

// FIPS 180-4 examples.
TEST(Sha1, DigestsTheExamplesOfTheStandard) {
    EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    EXPECT_EQ(sha1_hex(std::string(1000000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha1, PadsEveryLengthAroundTheBlock) {
    // made with sha1sum
    EXPECT_EQ(sha1_hex(std::string(55, 'x')), "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
    EXPECT_EQ(sha1_hex(std::string(56, 'x')), "901305367c259952f4e7af8323f480d59f81335b");
    EXPECT_EQ(sha1_hex(std::string(63, 'x')), "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
    EXPECT_EQ(sha1_hex(std::string(64, 'x')), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
    EXPECT_EQ(sha1_hex(std::string(65, 'x')), "78c741ddc482e4cdf8c474a0876347a0905b6233");
    EXPECT_EQ(sha1_hex(std::string(128, 'x')), "150fa3fbdc899bd0b8f95a9fb6027f564d953762");
}

// RFC 6455 section 1.3.
constexpr std::string_view rfc_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view rfc_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

TEST(Handshake, AnswersTheKeyOfTheRfc) { EXPECT_EQ(websocket_accept(rfc_key), rfc_accept); }

TEST(Handshake, AcceptsTheAnswerOfTheRfc) {
    EXPECT_TRUE(is_websocket_accept(rfc_accept, rfc_key));
    EXPECT_TRUE(is_websocket_accept(" s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t ", rfc_key));
}

TEST(Handshake, RefusesAnyOtherAnswer) {
    for (const std::string_view accept :
         {"", " ", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "dGhlIHNhbXBsZSBub25jZQ==",
          "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}) {
        EXPECT_FALSE(is_websocket_accept(accept, rfc_key)) << accept;
    }
    EXPECT_FALSE(is_websocket_accept(rfc_accept, "AQIDBAUGBwgJCgsMDQ4PEA=="));
}

TEST(Handshake, MakesAKeyOfSixteenBytes) {
    EXPECT_EQ(websocket_key({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
              "AQIDBAUGBwgJCgsMDQ4PEA==");
    EXPECT_TRUE(is_websocket_key(websocket_key({})));
}

TEST(Handshake, RefusesKeysThatAreNotSixteenBytes) {
    EXPECT_TRUE(is_websocket_key(rfc_key));
    EXPECT_TRUE(is_websocket_key(" dGhlIHNhbXBsZSBub25jZQ== "));
    for (const std::string_view key : {"", "Zg==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZTEyMw==",
                                       "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub24="}) {
        EXPECT_FALSE(is_websocket_key(key)) << key;
    }
}

} // namespace
} // namespace phx::protocol
