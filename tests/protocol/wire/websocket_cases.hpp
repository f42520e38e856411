#pragma once

#include "tests/protocol/wire/test_frame.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace phx::test {

/// What is expected of a stream of frames, as lines: "text Hello", "binary ...", "ping x", "pong x", "close
/// 1000 bye", "failure 1002".
struct StreamCase {
    std::string name;
    std::vector<TestFrame> frames;
    std::vector<std::string> expected;
    std::size_t max_message_bytes = 1 << 20;
};

using StreamCases = std::vector<StreamCase>;

// The groups and numbers are those of the Autobahn test suite; what follows a close or a failure must be
// ignored.

inline void add_framing_cases(StreamCases& cases) {
    for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 128u, 300u, 65535u, 65536u}) {
        const std::string payload(size, '*');
        cases.push_back({"1.1 text of " + std::to_string(size), {text(payload)}, {"text " + payload}});
        std::string bytes(size, '\xfe');
        cases.push_back({"1.2 binary of " + std::to_string(size), {binary(bytes)}, {"binary " + bytes}});
    }
    cases.push_back({"1 several messages",
                     {text("a"), binary("b"), text(""), text(std::string(200, 'c')), text("d")},
                     {"text a", "binary b", "text ", "text " + std::string(200, 'c'), "text d"}});
    cases.push_back({"1 masked by the wrong side",
                     {text("a"), wrongly_masked(text("b")), text("c")},
                     {"text a", "failure 1002"}});
    cases.push_back({"1 ping masked by the wrong side", {wrongly_masked(ping("b"))}, {"failure 1002"}});
}

inline void add_ping_cases(StreamCases& cases) {
    const std::string odd("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
    const std::string longest(125, '\xfe');
    cases.push_back({"2.1 empty ping", {ping()}, {"ping "}});
    cases.push_back({"2.2 ping", {ping("Hello")}, {"ping Hello"}});
    cases.push_back({"2.3 binary ping", {ping(odd)}, {"ping " + odd}});
    cases.push_back({"2.4 longest ping", {ping(longest)}, {"ping " + longest}});
    cases.push_back({"2.5 too long ping", {ping(longest + "x"), text("a")}, {"failure 1002"}});
    cases.push_back({"2.7 unasked pong", {pong(), pong("x"), text("a")}, {"pong ", "pong x", "text a"}});
    StreamCase ten{"2.10 ten pings", {}, {}};
    for (int i = 0; i < 10; ++i) {
        ten.frames.push_back(ping("payload " + std::to_string(i)));
        ten.expected.push_back("ping payload " + std::to_string(i));
    }
    cases.push_back(std::move(ten));
    cases.push_back({"2 too long pong", {pong(longest + "x")}, {"failure 1002"}});
    cases.push_back(
        {"2 ping in a 64 bit form", {with_form(LengthForm::bits_64, ping("a"))}, {"failure 1002"}});
}

inline void add_reserved_cases(StreamCases& cases) {
    for (unsigned rsv = 1; rsv < 8; ++rsv) {
        for (const unsigned opcode : {0u, 1u, 2u, 8u, 9u, 10u}) {
            const unsigned first_byte = 0x80 | rsv << 4 | opcode;
            cases.push_back({"3 reserved bits " + std::to_string(rsv) + " opcode " + std::to_string(opcode),
                             {text("small"), with_first_byte(first_byte, "Hi"), ping()},
                             {"text small", "failure 1002"}});
        }
    }
    for (const unsigned opcode : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
        for (const unsigned fin : {0u, 0x80u}) {
            const std::string name = "4 opcode " + std::to_string(opcode) + (fin != 0 ? "" : " not final");
            cases.push_back(
                {name, {text("a"), with_first_byte(fin | opcode, "b"), ping()}, {"text a", "failure 1002"}});
            cases.push_back({name + ", empty", {with_first_byte(fin | opcode)}, {"failure 1002"}});
        }
    }
}

inline void add_fragment_cases(StreamCases& cases) {
    cases.push_back({"5.1 fragmented ping", {more(ping("a")), last("b")}, {"failure 1002"}});
    cases.push_back({"5.2 fragmented pong", {more(pong("a")), last("b")}, {"failure 1002"}});
    cases.push_back({"5 fragmented close", {more(close(1000)), last("b")}, {"failure 1002"}});
    cases.push_back({"5.3 two fragments", {more(text("Hel")), last("lo")}, {"text Hello"}});
    cases.push_back({"5 two binary fragments", {more(binary("\xff")), last("\xfe")}, {"binary \xff\xfe"}});
    cases.push_back(
        {"5.6 ping between fragments", {more(text("Hel")), ping("p"), last("lo")}, {"ping p", "text Hello"}});
    cases.push_back(
        {"5 close between fragments", {more(text("Hel")), close(1001, "x"), last("lo")}, {"close 1001 x"}});
    cases.push_back({"5.9 continuation of nothing", {last("a"), text("b")}, {"failure 1002"}});
    cases.push_back(
        {"5.10 unfinished continuation of nothing", {more(last("a")), last("b")}, {"failure 1002"}});
    cases.push_back({"5 continuation after a message", {text("a"), last("b")}, {"text a", "failure 1002"}});
    cases.push_back({"5 continuation after fragments",
                     {more(text("a")), last("b"), last("c")},
                     {"text ab", "failure 1002"}});
    cases.push_back({"5.18 text within text", {more(text("a")), text("b")}, {"failure 1002"}});
    cases.push_back({"5 binary within text", {more(text("a")), more(binary("b"))}, {"failure 1002"}});
    cases.push_back({"5.19 pings between five fragments",
                     {more(text("a")), more(last("b")), ping("1"), more(last("c")), ping("2"),
                      more(last("d")), last("e"), text("f")},
                     {"ping 1", "ping 2", "text abcde", "text f"}});
    cases.push_back({"5 empty fragments",
                     {more(text("")), more(last("")), ping("x"), more(last("a")), more(last("")), last(""),
                      more(text("")), last("")},
                     {"ping x", "text a", "text "}});
    cases.push_back({"5 whole in the last fragment",
                     {more(text("")), last("all"), text("next")},
                     {"text all", "text next"}});
    StreamCase letters{"5 one byte each", {more(binary("0"))}, {}};
    std::string whole = "0";
    for (int i = 1; i < 50; ++i) {
        whole += static_cast<char>('0' + i);
        letters.frames.push_back(more(last(whole.substr(whole.size() - 1))));
    }
    letters.frames.push_back(last(""));
    letters.expected = {"binary " + whole};
    cases.push_back(std::move(letters));
}

inline void add_utf8_cases(StreamCases& cases) {
    const std::string valid[] = {"Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
                                 "\u03ba\u1f79\u03c3\u03bc\u03b5",
                                 "\xef\xbf\xbf",
                                 "\xed\x9f\xbf",
                                 "\xee\x80\x80",
                                 "\xef\xbf\xbd",
                                 "\xf4\x8f\xbf\xbf",
                                 std::string("\x00", 1),
                                 "\x7f",
                                 "\xc2\x80",
                                 "\xdf\xbf",
                                 "\xe0\xa0\x80",
                                 "\xf0\x90\x80\x80"};
    for (const auto& good : valid) {
        cases.push_back({"6 valid", {text(good), binary("x")}, {"text " + good, "binary x"}});
        StreamCase bytewise{"6 valid, a frame for each byte", {more(text(""))}, {"text " + good}};
        for (const char c : good) bytewise.frames.push_back(more(last(std::string(1, c))));
        bytewise.frames.push_back(last(""));
        cases.push_back(std::move(bytewise));
    }
    const std::string invalid[] = {"\x80",
                                   "\xbf",
                                   "\xc0\xaf",
                                   "\xc1\xbf",
                                   "\xe0\x80\xaf",
                                   "\xe0\x9f\xbf",
                                   "\xf0\x80\x80\xaf",
                                   "\xf0\x8f\xbf\xbf",
                                   "\xf8\x88\x80\x80\x80",
                                   "\xfc\x84\x80\x80\x80\x80",
                                   "\xed\xa0\x80",
                                   "\xed\xbf\xbf",
                                   "\xf4\x90\x80\x80",
                                   "\xfe",
                                   "\xff",
                                   "\xc3"
                                   "a",
                                   "\xe2\x82"
                                   "a"};
    for (const auto& bad : invalid) {
        const std::string before = "\u03ba\u1f79\u03c3\u03bc\u03b5";
        cases.push_back(
            {"6 invalid", {text("a"), text(before + bad + "edited"), ping()}, {"text a", "failure 1007"}});
        cases.push_back(
            {"6 invalid fragment", {more(text(before)), more(last(bad + "x")), ping()}, {"failure 1007"}});
        cases.push_back({"6 invalid but binary", {binary(bad)}, {"binary " + bad}});
        // Fail-fast: the rest of the frame, and the message, never comes.
        cases.push_back(
            {"6.4 invalid mid-frame", {announce(100, text(before + bad + "x"))}, {"failure 1007"}});
        cases.push_back({"6.4 invalid mid-fragment",
                         {more(text(before)), announce(100, more(last(bad + "x")))},
                         {"failure 1007"}});
    }
    for (const std::string cut : {"\xc3", "\xe2\x82", "\xf0\x9f\x98"}) {
        cases.push_back({"6 ends within a character", {text("a" + cut), ping()}, {"failure 1007"}});
        cases.push_back({"6 fragments end within a character",
                         {more(text("a" + cut)), ping("x"), last("")},
                         {"ping x", "failure 1007"}});
        cases.push_back({"6 not yet wrong", {more(text("a" + cut)), ping("x")}, {"ping x"}});
    }
    cases.push_back({"6 state does not leak into the next message",
                     {more(binary("\xe2")), last("\x82"), text("ok")},
                     {"binary \xe2\x82", "text ok"}});
}

inline void add_close_cases(StreamCases& cases) {
    const std::string longest(123, 'r');
    cases.push_back({"7.1 nothing after close",
                     {text("a"), close(1000), text("b"), ping(), close(1001)},
                     {"text a", "close 1000 "}});
    cases.push_back({"7.1 no broken frame after close",
                     {close(1000, "bye"), with_first_byte(0xff, "x")},
                     {"close 1000 bye"}});
    cases.push_back({"7.3.1 empty", {close("")}, {"close 1005 "}});
    cases.push_back({"7.3.2 one byte", {close("a")}, {"failure 1002"}});
    cases.push_back({"7.3.4 code and reason", {close(1000, "Hello World!")}, {"close 1000 Hello World!"}});
    cases.push_back({"7.3.5 longest", {close(1000, longest)}, {"close 1000 " + longest}});
    cases.push_back({"7.3.6 too long", {close(1000, longest + "x")}, {"failure 1002"}});
    cases.push_back({"7.5.1 reason is not UTF-8", {close(1000, "\xce\xba\xed\xa0\x80")}, {"failure 1007"}});
    cases.push_back({"7.5 reason ends within a character", {close(1000, "a\xc3")}, {"failure 1007"}});
    cases.push_back({"7.5 reason in UTF-8", {close(1000, "gr\u00fc\u00df")}, {"close 1000 gr\u00fc\u00df"}});
    for (const unsigned code : {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1010u, 1011u, 1012u, 1013u,
                                1014u, 3000u, 3999u, 4000u, 4999u}) {
        cases.push_back({"7.7 close code", {close(code, "r")}, {"close " + std::to_string(code) + " r"}});
    }
    for (const unsigned code :
         {0u, 1u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 1100u, 2000u, 2999u, 5000u, 65535u}) {
        cases.push_back(
            {"7.9 wrong close code " + std::to_string(code), {close(code), ping()}, {"failure 1002"}});
        cases.push_back({"7.9 wrong close code and reason", {close(code, "\xff")}, {"failure 1002"}});
    }
}

inline void add_limit_cases(StreamCases& cases) {
    const std::string full(200, 'x');
    const std::uint64_t top_bit = std::uint64_t{1} << 63;
    cases.push_back({"9 at the limit",
                     {text(full), more(text(full.substr(1))), last("y")},
                     {"text " + full, "text " + full.substr(1) + "y"},
                     200});
    cases.push_back(
        {"9 over the limit", {text("a"), text(full + "x"), ping()}, {"text a", "failure 1009"}, 200});
    cases.push_back({"9 over the limit in fragments",
                     {more(text(full)), ping("p"), last("x")},
                     {"ping p", "failure 1009"},
                     200});
    cases.push_back({"9 empty fragment at the limit",
                     {more(text(full)), more(last("")), last("")},
                     {"text " + full},
                     200});
    // From the header on: not one byte of the payload comes.
    cases.push_back({"9 announces more than the limit", {announce(201, text(""))}, {"failure 1009"}, 200});
    cases.push_back({"9 announces 2^63-1", {announce(top_bit - 1, text(""))}, {"failure 1009"}});
    cases.push_back({"9 announces 2^63-1 in a fragment",
                     {more(text("a")), announce(top_bit - 1, last(""))},
                     {"failure 1009"}});
    cases.push_back({"9 announces 2^63", {announce(top_bit, text(""))}, {"failure 1002"}});
    cases.push_back({"9 announces 2^64-1", {announce(~std::uint64_t{0}, binary(""))}, {"failure 1002"}});
    cases.push_back({"9 no limit on control frames",
                     {ping("abc"), close(1000, "abc")},
                     {"ping abc", "close 1000 abc"},
                     2});
    cases.push_back({"9 only empty messages", {text(""), text("a")}, {"text ", "failure 1009"}, 0});
    for (const std::size_t size : {0u, 1u, 125u}) {
        cases.push_back({"9 16 bits for " + std::to_string(size),
                         {with_form(LengthForm::bits_16, text(full.substr(0, size)))},
                         {"failure 1002"}});
    }
    for (const std::size_t size : {0u, 125u, 126u, 65535u}) {
        cases.push_back({"9 64 bits for " + std::to_string(size),
                         {with_form(LengthForm::bits_64, binary(std::string(size, 'x')))},
                         {"failure 1002"}});
    }
}

struct StreamGroup {
    std::string name;
    StreamCases cases;
};

inline void PrintTo(const StreamGroup& group, std::ostream* out) { *out << group.name; }

inline std::vector<StreamGroup> stream_groups() {
    std::vector<StreamGroup> groups;
    const auto add = [&groups](const char* name, void (*add_cases)(StreamCases&)) {
        groups.push_back({name, {}});
        add_cases(groups.back().cases);
    };
    add("framing", add_framing_cases);
    add("pings", add_ping_cases);
    add("reserved", add_reserved_cases);
    add("fragments", add_fragment_cases);
    add("utf8", add_utf8_cases);
    add("close", add_close_cases);
    add("limits", add_limit_cases);
    return groups;
}

/// Where a stream is cut in two: everywhere, or near the ends and at some other places if it is long.
inline std::vector<std::size_t> cuts_of(std::size_t stream_bytes) {
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 0; cut <= stream_bytes; ++cut) {
        const bool near_an_end = cut < 40 || stream_bytes - cut < 40;
        if (stream_bytes < 1500 || near_an_end || cut % 4099 == 0) cuts.push_back(cut);
    }
    return cuts;
}

} // namespace phx::test
