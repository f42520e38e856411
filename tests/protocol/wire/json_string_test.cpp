#include "phx/protocol/codec.hpp"
#include "protocol/wire/json_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phx::protocol {
namespace {

std::string in_quotes(std::string_view text) {
    std::string out = "before";
    append_json_string(out, text);
    EXPECT_EQ(out.substr(0, 6), "before");
    return out.substr(6);
}

TEST(JsonString, EscapesWhatTheGrammarDemandsAndNothingElse) {
    EXPECT_EQ(in_quotes(""), "\"\"");
    EXPECT_EQ(in_quotes("room:lobby"), "\"room:lobby\"");
    EXPECT_EQ(in_quotes("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    EXPECT_EQ(in_quotes("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    EXPECT_EQ(in_quotes(std::string("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
    EXPECT_EQ(in_quotes("h\xC3\xA9\xE2\x80\xA8"), "\"h\xC3\xA9\xE2\x80\xA8\"");
}

TEST(JsonString, FindsWhatNeedsAnEscapeAtEveryPlace) {
    for (std::size_t size = 1; size < 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'x');
                text[at] = static_cast<char>(byte);
                const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
                ASSERT_EQ(wire::is_plain(text), plain) << size << " " << at << " " << byte;
                if (byte >= 0x80) continue;
                ASSERT_EQ(nlohmann::json::parse(in_quotes(text)).get<std::string>(), text);
            }
        }
    }
}

TEST(JsonString, UnquotesStringsAndLeavesOtherTokens) {
    std::string scratch = "old";
    EXPECT_EQ(unquote({"\"12\""}, scratch), "12");
    EXPECT_EQ(unquote({"\"\""}, scratch), "");
    EXPECT_EQ(unquote({"12"}, scratch), "12");
    EXPECT_EQ(unquote({"null"}, scratch), "null");
    EXPECT_EQ(unquote({"[\"a\"]"}, scratch), "[\"a\"]");
    EXPECT_EQ(scratch, "old");
    EXPECT_EQ(unquote({"\"a\\n\\u00e9\\ud83d\\ude00\\/\\\"\\\\\""}, scratch),
              "a\n\xC3\xA9\xF0\x9F\x98\x80/\"\\");
}

TEST(JsonString, UnescapesEveryCodePointThatAnEscapeCanName) {
    for (unsigned code = 0; code < 0x10000; ++code) {
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04X", code);
        std::string out;
        wire::append_unescaped(out, escape);
        ASSERT_EQ(out, nlohmann::json::parse("\"" + std::string(escape) + "\"").get<std::string>()) << code;
    }
    std::string out;
    wire::append_unescaped(out, "\\uDBFF\\uDFFF\\b\\f\\r\\t");
    EXPECT_EQ(out, "\xF4\x8F\xBF\xBF\b\f\r\t");
}

TEST(JsonString, ComparesNamesHoweverTheyAreWritten) {
    EXPECT_TRUE(wire::is_key({"topic", false}, "topic"));
    EXPECT_FALSE(wire::is_key({"Topic", false}, "topic"));
    EXPECT_TRUE(wire::is_key({"\\u0074opic", true}, "topic"));
    EXPECT_TRUE(wire::is_key({"\\u006a\\u006f\\u0069\\u006e\\u005f\\u0072\\u0065\\u0066", true}, "join_ref"));
    EXPECT_FALSE(wire::is_key({"topic\\u0000", true}, "topic"));
    EXPECT_FALSE(wire::is_key({std::string(1000, 'a') + "\\n", true}, "topic"));
}

} // namespace
} // namespace phx::protocol
