#include "protocol/realtime/text_pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::test {
namespace {

using protocol::realtime::LetterCase;
using protocol::realtime::TextPattern;

bool like(const std::string& pattern, const std::string& text, LetterCase letters = LetterCase::matters) {
    const auto made = TextPattern::like(pattern, letters);
    EXPECT_TRUE(made) << pattern;
    return made && made->matches(text);
}

bool regex(const std::string& pattern, const std::string& text, LetterCase letters = LetterCase::matters) {
    const auto made = TextPattern::regex(pattern, letters);
    EXPECT_TRUE(made) << pattern;
    return made && made->matches(text);
}

TEST(Like, MatchesTheWholeText) {
    EXPECT_TRUE(like("he%", "hello"));
    EXPECT_TRUE(like("%", ""));
    EXPECT_TRUE(like("%l_o", "hello"));
    EXPECT_TRUE(like("h_llo", "h\u2603llo")); // a character, not a byte
    EXPECT_FALSE(like("he", "hello"));
    EXPECT_FALSE(like("_", ""));
    EXPECT_FALSE(like("HE%", "hello"));
    EXPECT_TRUE(like("HE%", "hello", LetterCase::ignored));
}

TEST(Like, TakesWhatFollowsABackslashForItself) {
    EXPECT_TRUE(like("50\\%", "50%"));
    EXPECT_FALSE(like("50\\%", "50x"));
    EXPECT_TRUE(like("a.b*", "a.b*"));
    EXPECT_FALSE(like("a.b", "axb"));
    EXPECT_FALSE(TextPattern::like("50\\", LetterCase::matters));
}

TEST(Regex, MatchesAnywhereUnlessAnchored) {
    EXPECT_TRUE(regex("ell", "hello"));
    EXPECT_TRUE(regex("^h", "hello"));
    EXPECT_FALSE(regex("^e", "hello"));
    EXPECT_TRUE(regex("o$", "hello"));
    EXPECT_FALSE(regex("l$", "hello"));
    EXPECT_TRUE(regex("^$", ""));
    EXPECT_FALSE(regex("^$", "x"));
    EXPECT_TRUE(regex("", "anything"));
    EXPECT_TRUE(regex("^H", "hello", LetterCase::ignored));
}

TEST(Regex, KnowsChoicesGroupsAndRepeats) {
    EXPECT_TRUE(regex("^(cat|dog)s?$", "dogs"));
    EXPECT_FALSE(regex("^(cat|dog)s?$", "cows"));
    EXPECT_TRUE(regex("^(?:ab)+$", "ababab"));
    EXPECT_FALSE(regex("^(?:ab)+$", "aba"));
    EXPECT_TRUE(regex("^a{2,3}$", "aa"));
    EXPECT_FALSE(regex("^a{2,3}$", "aaaa"));
    EXPECT_FALSE(regex("^a{2}$", "aaa"));
    EXPECT_TRUE(regex("^a{2,}$", "aaaaa"));
    EXPECT_TRUE(regex("^a*?b$", "aab"));
    EXPECT_TRUE(regex("^(a|b|)c$", "c"));
    EXPECT_TRUE(regex("^(a*)*$", "aaa")); // no endless loop
    EXPECT_TRUE(regex("x{a", "x{a"));
}

TEST(Regex, KnowsClasses) {
    EXPECT_TRUE(regex("^[a-c]+$", "abc"));
    EXPECT_FALSE(regex("^[a-c]+$", "abd"));
    EXPECT_TRUE(regex("^[^a-c]$", "\u00e9"));
    EXPECT_TRUE(regex("^[]x-]+$", "]-x"));
    EXPECT_TRUE(regex("^[[:digit:]_]+$", "4_2"));
    EXPECT_TRUE(regex("^\\d{3}-\\w+\\s\\S$", "123-a_b c"));
    EXPECT_TRUE(regex("^[\\d.]+$", "1.5"));
    EXPECT_TRUE(regex("\\.", "a.b"));
    EXPECT_FALSE(regex("\\.", "ab"));
    EXPECT_TRUE(regex("^.$", "\u2603"));
    EXPECT_TRUE(regex("[A-Z]", "a", LetterCase::ignored));
    EXPECT_FALSE(regex("[^A-Z]", "a", LetterCase::ignored));
}

TEST(Regex, RefusesWhatIsMalformedOrNotKnown) {
    for (const char* const bad : {"(", ")", "[a", "a)", "*a", "a|*", "[z-a]", "\\", "a{2,1}", "a{1001}",
                                  "(?=a)", "\\1", "\\b", "[[:nope:]]", "[[:digit", "a{3"})
        EXPECT_FALSE(TextPattern::regex(bad, LetterCase::matters)) << bad;
}

TEST(Regex, RefusesWhatNeedsTooMuch) {
    EXPECT_FALSE(TextPattern::regex("(((a{100}){100}){100}){100}", LetterCase::matters));
    EXPECT_FALSE(TextPattern::regex(std::string(10'000, '('), LetterCase::matters));
    EXPECT_FALSE(TextPattern::regex(std::string(1'000, 'a'), LetterCase::matters));
    EXPECT_FALSE(TextPattern::like(std::string(1'000, 'a'), LetterCase::matters));
}

TEST(Regex, IsLinearInTheText) {
    // Backtracking would take longer than the universe.
    EXPECT_FALSE(regex("^(a*)*(a*)*(a|a)*b$", std::string(8'000, 'a')));
    EXPECT_FALSE(regex("a", std::string(9'000, 'a'))) << "longer than max_text";
}

} // namespace
} // namespace phx::test
