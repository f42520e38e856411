#include "protocol/wire/rpc.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace phx::protocol {
namespace {

using namespace std::string_view_literals;
using namespace std::string_literals;

std::string errors_of_request(Opcode kind, std::string_view payload) {
    std::string scratch;
    const auto request = read_rpc_request(kind, payload, scratch);
    if (request) return "";
    EXPECT_EQ(request.error().origin, Origin::peer);
    return request.error().code.message() + "; " + request.error().message;
}

std::string errors_of_response(Opcode kind, std::string_view payload) {
    const auto response = read_rpc_response(kind, payload);
    if (response) return "";
    EXPECT_EQ(response.error().origin, Origin::peer);
    return response.error().code.message() + "; " + response.error().message;
}

const std::string malformed = make_error_code(Errc::malformed_frame).message() + "; ";
const std::string not_utf8 = make_error_code(Errc::invalid_utf8).message() + "; ";

std::string built(const RpcRequest& request) {
    std::string out;
    const auto result = build_rpc_request(request, out);
    EXPECT_TRUE(result || out.empty());
    return result ? out : "! " + result.error().message;
}

std::string built(const RpcResponse& response) {
    std::string out;
    const auto result = build_rpc_response(response, out);
    EXPECT_TRUE(result || out.empty());
    return result ? out : "! " + result.error().message;
}

TEST(Rpc, ReadsARequestInJson) {
    std::string scratch;
    const auto request = read_rpc_request(
        Opcode::text, R"( {"extra":[{}], "params":{"a":[1]}, "id":"7", "method":"sum"} )", scratch);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->id.text, R"("7")");
    EXPECT_EQ(request->id.kind, Opcode::text);
    EXPECT_EQ(request->method, "sum");
    EXPECT_EQ(request->kind, Opcode::text);
    EXPECT_EQ(request->params, R"({"a":[1]})");
    EXPECT_FALSE(request->is_one_way());
}

TEST(Rpc, KeepsIdsOfAnyJsonScalarAsTheyWereWritten) {
    std::string scratch;
    for (const std::string id : {R"("7")", R"("")", R"("\u0041\n")", "7", "-1.50e+2", "true", "false"}) {
        const std::string payload = R"({"id":)" + id + R"(,"method":"m"})";
        const auto request = read_rpc_request(Opcode::text, payload, scratch);
        ASSERT_TRUE(request) << id;
        EXPECT_EQ(request->id.text, id);
        EXPECT_EQ(rpc_request_id(Opcode::text, payload).text, id);
        EXPECT_EQ(built(RpcResponse{request->id}), R"({"id":)" + id + R"(,"ok":{}})");
    }
}

TEST(Rpc, ARequestWithoutAnIdOrWithNullIsOneWayAndItsParamsMayBeMissing) {
    std::string scratch;
    for (const char* payload : {R"({"method":"m"})", R"({"method":"m","id":null})"}) {
        const auto request = read_rpc_request(Opcode::text, payload, scratch);
        ASSERT_TRUE(request);
        EXPECT_TRUE(request->is_one_way());
        EXPECT_EQ(request->params, "{}");
    }
    const auto binary = read_rpc_request(Opcode::binary, "\0\1m"sv, scratch);
    ASSERT_TRUE(binary);
    EXPECT_TRUE(binary->is_one_way());
    EXPECT_EQ(binary->params, "");
}

TEST(Rpc, UnescapesTheMethodAndTheKeys) {
    std::string scratch;
    const auto request =
        read_rpc_request(Opcode::text, R"({"\u0069d":1,"m\u0065thod":"a\n\u00e9"})", scratch);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->id.text, "1");
    EXPECT_EQ(request->method, "a\n\xC3\xA9");
}

TEST(Rpc, RefusesRequestsOfAnotherShape) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"id":1})", "the request has no method"},
        {R"({"id":1,"method":5})", "the method is no string"},
        {R"({"id":1,"method":null})", "the method is no string"},
        {R"({"id":1,"method":""})", "the method is empty"},
        {R"({"id":{},"method":"m"})", "the id is no scalar"},
        {R"({"id":[1],"method":"m"})", "the id is no scalar"},
        {R"({"id":1,"id":2,"method":"m"})", "the key \"id\" is repeated"},
        {R"({"id":1,"method":"m","method":"n"})", "the key \"method\" is repeated"},
        {R"({"method":"m","params":1,"params":2})", "the key \"params\" is repeated"},
    };
    for (const auto& [payload, why] : cases)
        EXPECT_EQ(errors_of_request(Opcode::text, payload), malformed + why) << payload;
    for (const char* payload : {"", "null", "[]", "1", "{", R"({"id")", R"({"id":})", R"({"method":"m")",
                                R"({"method":"m",})", R"({"method":"m"}x)", R"({"method":"\x"})"})
        EXPECT_TRUE(errors_of_request(Opcode::text, payload).starts_with(malformed + "byte ")) << payload;
    EXPECT_TRUE(errors_of_request(Opcode::text, "{\"method\":\"\xff\"}").starts_with(not_utf8));
}

TEST(Rpc, FindsTheIdOfARequestThatItRefuses) {
    const auto id_in = [](std::string_view payload) {
        return std::string(rpc_request_id(Opcode::text, payload).text);
    };
    EXPECT_EQ(id_in(R"({"id":1})"), "1");
    EXPECT_EQ(id_in(R"({"method":"m","method":"n","id":"a"})"), R"("a")");
    EXPECT_EQ(id_in(R"({"id":1,"id":2})"), "");
    EXPECT_EQ(id_in(R"({"id":{}})"), "");
    EXPECT_EQ(id_in(R"({"id":null})"), "");
    EXPECT_EQ(id_in("[]"), "");
    const RpcId binary = rpc_request_id(Opcode::binary, "\2\5ab"sv);
    EXPECT_EQ(binary.kind, Opcode::binary);
    EXPECT_EQ(binary.text, "ab");
    EXPECT_TRUE(rpc_request_id(Opcode::binary, "\2\5a"sv).empty());
}

TEST(Rpc, ReadsABinaryRequest) {
    std::string scratch;
    const std::string payload = "\2\4"
                                "42"
                                "blob"
                                "\0\xff"s;
    const auto request = read_rpc_request(Opcode::binary, payload, scratch);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->id.kind, Opcode::binary);
    EXPECT_EQ(request->id.text, "42");
    EXPECT_EQ(request->method, "blob");
    EXPECT_EQ(request->kind, Opcode::binary);
    EXPECT_EQ(request->params, "\0\xff"s);
    EXPECT_EQ(built(*request), payload);
}

TEST(Rpc, RefusesEveryPrefixOfTheHeadOfABinaryRequest) {
    const std::string payload = "\2\4"
                                "42"
                                "blob"s;
    for (std::size_t size = 0; size < payload.size(); ++size)
        EXPECT_TRUE(errors_of_request(Opcode::binary, payload.substr(0, size)).starts_with(malformed))
            << size;
    EXPECT_EQ(errors_of_request(Opcode::binary, "\2\4"
                                                "42blo"s),
              malformed + "expected more of the method");
    EXPECT_EQ(errors_of_request(Opcode::binary, "\1\0"
                                                "4"s),
              malformed + "the method is empty");
    EXPECT_EQ(errors_of_request(Opcode::binary, "\1\1\xff"
                                                "m"s),
              not_utf8 + "invalid UTF-8 in the id");
    EXPECT_EQ(errors_of_request(Opcode::binary, "\1\1"
                                                "4\xff"s),
              not_utf8 + "invalid UTF-8 in the method");
}

TEST(Rpc, ReadsResponses) {
    auto response = read_rpc_response(Opcode::text, R"({"id":"1","ok":null})");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->id.text, R"("1")");
    EXPECT_EQ(response->status, RpcStatus::ok);
    EXPECT_EQ(response->body, "null");
    response = read_rpc_response(Opcode::text, R"({"error":{"reason":"no"},"id":1})");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, RpcStatus::error);
    EXPECT_EQ(response->body, R"({"reason":"no"})");
    response = read_rpc_response(Opcode::binary, "\1\1"
                                                 "7\0x"sv);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->id.text, "7");
    EXPECT_EQ(response->status, RpcStatus::error);
    EXPECT_EQ(response->kind, Opcode::binary);
    EXPECT_EQ(response->body, "\0x"s);
}

TEST(Rpc, RefusesResponsesOfAnotherShape) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"ok":1})", "the response has no id"},
        {R"({"id":null,"ok":1})", "the response has no id"},
        {R"({"id":[],"ok":1})", "the id is no scalar"},
        {R"({"id":1})", "the response has not exactly one of \"ok\" and \"error\""},
        {R"({"id":1,"ok":1,"error":2})", "the response has not exactly one of \"ok\" and \"error\""},
        {R"({"id":1,"ok":1,"ok":2})", "the key \"ok\" is repeated"},
    };
    for (const auto& [payload, why] : cases)
        EXPECT_EQ(errors_of_response(Opcode::text, payload), malformed + why) << payload;
    EXPECT_TRUE(errors_of_response(Opcode::text, "[]").starts_with(malformed));
    EXPECT_EQ(errors_of_response(Opcode::binary, "\1"s),
              malformed + "expected the lengths of a binary payload");
    EXPECT_EQ(errors_of_response(Opcode::binary, "\0\0"s), malformed + "the response has no id");
    EXPECT_EQ(errors_of_response(Opcode::binary, "\2\0"
                                                 "1"s),
              malformed + "expected more of the id");
    EXPECT_EQ(errors_of_response(Opcode::binary, "\1\2"
                                                 "1"s),
              malformed + "the status is neither 0 nor 1");
}

TEST(Rpc, BuildsRequests) {
    const RpcId id{Opcode::text, "7"};
    EXPECT_EQ(built(RpcRequest{id, "s\"m", Opcode::text, "[1]"}), R"({"id":7,"method":"s\"m","params":[1]})");
    EXPECT_EQ(built(RpcRequest{{}, "m"}), R"({"method":"m","params":{}})");
    EXPECT_EQ(built(RpcRequest{id, "m", Opcode::binary, "\xff"}), "\1\1"
                                                                  "7m\xff"s);
    EXPECT_EQ(built(RpcRequest{{}, "m", Opcode::binary, "x"}), "\0\1mx"s);
}

TEST(Rpc, BuildsResponsesOfEitherKindForRequestsOfEitherKind) {
    using enum Opcode;
    const auto ok = RpcStatus::ok, error = RpcStatus::error;
    EXPECT_EQ(built(RpcResponse{{text, "7"}, ok, text, "1"}), R"({"id":7,"ok":1})");
    EXPECT_EQ(built(RpcResponse{{text, R"("a\"b")"}, error, binary, "x"}), "\3\1a\"bx"s);
    EXPECT_EQ(built(RpcResponse{{text, "7"}, ok, binary, ""}), "\1\0"
                                                               "7"s);
    EXPECT_EQ(built(RpcResponse{{binary, "a\"b"}, error, text, "[]"}), R"({"id":"a\"b","error":[]})");
    EXPECT_EQ(built(RpcResponse{{binary, "7"}, ok, binary, "x"}), "\1\0"
                                                                  "7x"s);
}

TEST(Rpc, RefusesToBuildWhatThePayloadCannotHold) {
    using enum Opcode;
    const std::string at_most(255, 'i'), too_long(256, 'i'), quoted = '"' + too_long + '"';
    EXPECT_EQ(built(RpcRequest{{text, "1"}, ""}), "! a request needs a method");
    EXPECT_EQ(built(RpcRequest{{text, "1"}, "\xff"}), "! the method is not UTF-8");
    EXPECT_TRUE(built(RpcRequest{{text, "1"}, "m", text, "{"}).starts_with("! the payload is no JSON: "));
    EXPECT_EQ(built(RpcRequest{{text, quoted}, "m", binary}),
              "! the id has 256 bytes, binary payloads allow 255");
    EXPECT_EQ(built(RpcRequest{{}, too_long, binary}),
              "! the method has 256 bytes, binary payloads allow 255");
    EXPECT_EQ(built(RpcRequest{{text, R"("")"}, "m", binary}),
              "! an empty string as the id has no binary form");
    EXPECT_EQ(built(RpcRequest{{binary, at_most}, at_most, binary}), "\xff\xff"s + at_most + at_most);
    EXPECT_EQ(built(RpcResponse{}), "! a response needs an id");
    EXPECT_TRUE(built(RpcResponse{{text, "1"}, RpcStatus::ok, text, R"(1,"error":2)"})
                    .starts_with("! the payload is no JSON: "));
    EXPECT_EQ(built(RpcResponse{{text, quoted}, RpcStatus::ok, binary}),
              "! the id has 256 bytes, binary payloads allow 255");
    EXPECT_EQ(built(RpcResponse{{text, R"("")"}, RpcStatus::ok, binary}),
              "! an empty string as the id has no binary form");
    EXPECT_EQ(built(RpcResponse{{text, quoted}}), R"({"id":)" + quoted + R"(,"ok":{}})");
}

TEST(Rpc, TheTextOfAnIdIsTheSameInRequestAndResponse) {
    std::string scratch;
    EXPECT_EQ(rpc_id_text({Opcode::binary, "a\"b"}, scratch), "a\"b");
    EXPECT_EQ(rpc_id_text({Opcode::text, R"("a\"b")"}, scratch), "a\"b");
    EXPECT_EQ(rpc_id_text({Opcode::text, "7"}, scratch), "7");
    EXPECT_EQ(rpc_id_text({}, scratch), "");
}

} // namespace
} // namespace phx::protocol
