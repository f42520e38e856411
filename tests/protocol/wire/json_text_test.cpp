#include "protocol/wire/json_text.hpp"

#include "phx/protocol/codec.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace phx::protocol {
namespace {

bool valid(std::string_view text, std::size_t depth = 128) { return validate_json(text, depth).has_value(); }

std::string why(std::string_view text, std::size_t depth = 128) {
    const Result<void> result = validate_json(text, depth);
    return result ? "" : result.error().message;
}

TEST(JsonText, AcceptsTheNumbersOfTheGrammarAndNoOthers) {
    for (const char* good :
         {"0", "-0", "7", "-12", "1234567890123456789012345678901234567890", "0.5", "-0.0", "1.25", "1e3",
          "1E3", "1e+3", "1e-3", "0e0", "1.5E+10", "-1.0e-07", "123456789012345.6789012345678901e12"}) {
        EXPECT_TRUE(valid(good)) << good;
        EXPECT_TRUE(valid("[" + std::string(good) + "]")) << good;
        EXPECT_TRUE(valid("{\"a\":" + std::string(good) + " ,\"b\":0}")) << good;
    }
    for (const char* bad : {"+1",        "-",     "01",    "-01", "00",   "1.",    ".5",  "-.5",
                            "1.e3",      "1e",    "1e+",   "1E-", "0x10", "1_000", "NaN", "Infinity",
                            "-Infinity", "1.2.3", "1e2e3", "--1", "1-",   "1 2",   "0b1", "1,5"}) {
        EXPECT_FALSE(valid(bad)) << bad;
        EXPECT_FALSE(valid("{\"a\":" + std::string(bad) + "}")) << bad;
    }
}

TEST(JsonText, AcceptsTheLiteralsAndNothingLikeThem) {
    for (const char* good : {"true", "false", "null", " true ", "[true,false,null]"})
        EXPECT_TRUE(valid(good)) << good;
    for (const char* bad :
         {"True", "tru", "truee", "nul", "nulll", "fals", "TRUE", "undefined", "nan", "t", "f", "n"}) {
        EXPECT_FALSE(valid(bad)) << bad;
    }
}

TEST(JsonText, AcceptsOnlyTheFourKindsOfSpace) {
    EXPECT_TRUE(valid(" \t\r\n{ \t\"a\" \n:\r 1 , \"b\" : [ ] , \"c\" : [ 1 , 2 ] , \"d\" : { } } \n"));
    for (const char* bad : {"\v1", "\f1",
                            "\xC2\xA0"
                            "1",
                            "1\v", "[1,\f2]", "\xEF\xBB\xBF[]"}) {
        EXPECT_FALSE(valid(bad)) << bad;
    }
    EXPECT_FALSE(valid(std::string_view("1\0", 2)));
    EXPECT_FALSE(valid(std::string_view("\0", 1)));
    EXPECT_FALSE(valid(std::string_view("[\0]", 3)));
}

TEST(JsonText, RefusesBrokenStructure) {
    for (const char* bad : {"",
                            " ",
                            "[",
                            "]",
                            "{",
                            "}",
                            "[1",
                            "[1,",
                            "[,",
                            "[,1]",
                            "[1,]",
                            "[1 2]",
                            "{\"a\"",
                            "{\"a\":",
                            "{\"a\":1",
                            "{\"a\":1,",
                            "{\"a\":1,}",
                            "{,}",
                            "{\"a\" 1}",
                            "{a:1}",
                            "{1:1}",
                            "{\"a\":}",
                            "{\"a\":1 \"b\":2}",
                            "[}",
                            "{]",
                            "[1}",
                            "{\"a\":1]",
                            "[[]",
                            "[]]",
                            "{}{}",
                            "[] []",
                            "\"",
                            "\"a",
                            "\"a\" \"b\"",
                            "'a'",
                            "/* */1",
                            "[1]//",
                            "[\"a\":1]",
                            ":",
                            ",",
                            "[:]"}) {
        EXPECT_FALSE(valid(bad)) << bad;
    }
}

TEST(JsonText, RefusesControlCharactersInStringsWhereverTheyStand) {
    for (std::size_t before = 0; before < 40; ++before) {
        for (char control = 0; control < 0x20; ++control) {
            const std::string text = '"' + std::string(before, 'a') + control + "bcdefghijklmnopqrstuvwxyz\"";
            ASSERT_FALSE(valid(text)) << before << " " << int(control);
        }
    }
    EXPECT_TRUE(valid("\"\x7F\""));
}

TEST(JsonText, AcceptsTheEscapesOfTheGrammarAndNoOthers) {
    const std::string good = "bfnrt/\\\"u";
    for (int c = 1; c < 256; ++c) {
        const bool known = good.find(static_cast<char>(c)) != std::string::npos;
        std::string text = std::string("\"\\") + static_cast<char>(c);
        if (c == 'u') text += "00e9";
        EXPECT_EQ(valid(text + "\""), known) << c;
    }
    for (const char* bad : {"\"\\\"", "\"\\", "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u12g4\"",
                            "\"\\u 123\"", "\"\\u+123\"", "\"\\uD83D\\u12\"", "\"\\U0041\""}) {
        EXPECT_FALSE(valid(bad)) << bad;
    }
}

TEST(JsonText, RefusesLoneSurrogateEscapes) {
    for (const char* good : {"\"\\ud83d\\ude00\"", "\"\\uD800\\uDC00\"", "\"\\uDBFF\\uDFFF\"",
                             "\"\\ud7ff\\ue000\"", "\"x\\ud83d\\ude00\\ud83d\\ude00y\""}) {
        EXPECT_TRUE(valid(good)) << good;
    }
    for (const char* bad :
         {"\"\\ud800\"", "\"\\udc00\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\\ud83d\"", "\"\\ud83dx\"",
          "\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\udc00\\udc00\"", "\"\\ud83d\\ue000\""}) {
        EXPECT_FALSE(valid(bad)) << bad;
        EXPECT_FALSE(valid("{" + std::string(bad) + ":1}")) << bad;
        EXPECT_FALSE(valid("[" + std::string(bad) + ",1]")) << bad;
    }
}

TEST(JsonText, RefusesInvalidUtf8InNamesAndValues) {
    for (const char* bad : {"\xFF", "\x80", "\xC0\x80", "\xC3", "\xE2\x82", "\xED\xA0\x80",
                            "\xF4\x90\x80\x80", "\xF0\x80\x80\x80"}) {
        for (const std::string& text : {"\"" + std::string(bad) + "\"", "{\"" + std::string(bad) + "\":1}",
                                        "[\"a long string before it, " + std::string(bad) + "\"]"}) {
            const Result<void> result = validate_json(text);
            ASSERT_FALSE(result) << text;
            EXPECT_EQ(result.error().code, Errc::invalid_utf8);
            EXPECT_EQ(result.error().origin, Origin::local);
        }
    }
    EXPECT_TRUE(valid("\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xE2\x80\xA8\""));
}

TEST(JsonText, FindsTheEndOfStringsOfAnyLengthAtAnyPlaceInAnyBuffer) {
    for (std::size_t length = 0; length < 70; ++length) {
        const std::string body(length, 'x');
        for (std::size_t after = 0; after < 20; ++after) {
            const std::string text = "\"" + body + "\"" + std::string(after, ' ');
            ASSERT_TRUE(valid(text));
            ASSERT_FALSE(valid(text.substr(0, length + 1)));
            ASSERT_TRUE(valid("{\"" + body + "\":\"" + body + "\\n" + body + "\"}"));
        }
    }
}

TEST(JsonText, CountsDepthAndStopsAtTheLimit) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(valid("1", 0));
    EXPECT_FALSE(valid("[]", 0));
    EXPECT_FALSE(valid("{}", 0));
    EXPECT_TRUE(valid("[[],{},[]]", 2));
    EXPECT_FALSE(valid("[[[]]]", 2));
    for (std::size_t depth : {1u, 2u, 63u, 64u, 65u, 127u, 128u, 129u, 1000u, 8192u}) {
        EXPECT_TRUE(valid(nested(depth), depth)) << depth;
        EXPECT_FALSE(valid(nested(depth + 1), depth)) << depth;
        EXPECT_FALSE(valid(nested(depth).substr(0, 2 * depth - 1), depth)) << depth;
    }
    EXPECT_TRUE(valid(nested(8192), 1'000'000));
    EXPECT_FALSE(valid(nested(8193), 1'000'000));
    const Result<void> deep = validate_json(std::string(10'000, '['));
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error().code, Errc::invalid_payload);
    EXPECT_EQ(deep.error().message, "byte 128: JSON nested too deep");
}

TEST(JsonText, RemembersWhichContainerIsOpenAtEveryDepth) {
    std::string open, close;
    for (std::size_t i = 0; i < 300; ++i) {
        const bool object = (i * 7) % 3 == 0;
        open += object ? "{\"k\":" : "[";
        close.insert(0, object ? "}" : "]");
        EXPECT_TRUE(valid(open + "1" + close, 300));
        std::string wrong = close;
        wrong.front() = object ? ']' : '}';
        EXPECT_FALSE(valid(open + "1" + wrong, 300));
        wrong = close;
        wrong.back() = wrong.back() == '}' ? ']' : '}';
        EXPECT_FALSE(valid(open + "1" + wrong, 300));
    }
}

TEST(JsonText, SaysWhatIsWrongAndWhere) {
    EXPECT_EQ(why(""), "byte 0: expected a JSON value, but it ends here");
    EXPECT_EQ(why("[1 2]"), "byte 3: expected ',' or ']'");
    EXPECT_EQ(why("{\"a\" 1}"), "byte 5: expected ':'");
    EXPECT_EQ(why("{a:1}"), "byte 1: expected a member's name");
    EXPECT_EQ(why("{\"a\":1,}"), "byte 7: expected a member's name");
    EXPECT_EQ(why("[01]"), "byte 1: a number with a leading zero");
    EXPECT_EQ(why("[1.]"), "byte 3: expected a digit after '.'");
    EXPECT_EQ(why("[1e]"), "byte 3: expected a digit in the exponent");
    EXPECT_EQ(why("[-]"), "byte 2: expected a digit");
    EXPECT_EQ(why("[1] x"), "byte 4: something follows the end");
    EXPECT_EQ(why("[\"\\x\"]"), "byte 3: unknown escape");
    EXPECT_EQ(why("[\"a\\ud800\"]"), "byte 3: a lone surrogate escape");
    EXPECT_EQ(why("[\"abc"), "byte 5: expected the end of a string, but it ends here");
    EXPECT_EQ(why("[\"a\tb\"]"), "byte 3: a control character in a string");
    EXPECT_EQ(why("[\"ab\xFF\"]"), "byte 4: invalid UTF-8");
}

// An oracle: whatever a single changed byte does to a document, the same texts are valid for nlohmann. It
// accepts lone surrogates in no case, and neither limits depth at this size.
TEST(JsonText, AgreesWithAnotherParserOnEveryOneByteChange) {
    const std::vector<std::string> seeds = {
        R"({"a":[1,-2.5e+3,true,false,null],"b":{"c":"x\n\u00e9\ud83d\ude00"},"long name here":"a long string value"})",
        "[ 0 , [ ] , { } , \"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\" , 1e9 ]",
        R"([[["a"],{"b":[{}]}],10,20.25,-0])"};
    std::size_t valid_count = 0;
    for (const std::string& seed : seeds) {
        ASSERT_TRUE(valid(seed));
        for (std::size_t i = 0; i < seed.size(); ++i) {
            std::string text = seed;
            for (int byte = 0; byte < 256; ++byte) {
                text[i] = static_cast<char>(byte);
                const bool ours = valid(text);
                valid_count += ours;
                ASSERT_EQ(ours, nlohmann::json::accept(text)) << text;
            }
            text = seed;
            text.erase(i, 1);
            ASSERT_EQ(valid(text), nlohmann::json::accept(text)) << text;
        }
        for (std::size_t size = 0; size < seed.size(); ++size) ASSERT_FALSE(valid(seed.substr(0, size)));
    }
    EXPECT_GT(valid_count, 1000u);
}

TEST(JsonReader, HandsOutMembersAsSlices) {
    wire::JsonReader reader("{ \"a\" : [1, 2] , \"b\\n\":\"x\" }", 8);
    wire::RawString name;
    std::string_view value;
    EXPECT_TRUE(reader.expect('{', "brace"));
    EXPECT_TRUE(reader.name(name));
    EXPECT_EQ(name.text, "a");
    EXPECT_FALSE(name.escaped);
    EXPECT_TRUE(reader.value(value));
    EXPECT_EQ(value, "[1, 2]");
    EXPECT_TRUE(reader.take(','));
    EXPECT_TRUE(reader.name(name));
    EXPECT_EQ(name.text, "b\\n");
    EXPECT_TRUE(name.escaped);
    EXPECT_TRUE(reader.value(value));
    EXPECT_EQ(value, "\"x\"");
    EXPECT_FALSE(reader.take(','));
    EXPECT_TRUE(reader.expect('}', "brace"));
    EXPECT_TRUE(reader.finish());
}

} // namespace
} // namespace phx::protocol
