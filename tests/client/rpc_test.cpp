#include "tests/client/rpc_fixture.hpp"

#include <stdexcept>
#include <thread>
#include <vector>

// Calls of the server, and its requests to this program.
namespace phx::test {
namespace {

using namespace std::string_literals;

// ---- calls

TEST_F(Rpc, CallsAndReceivesTheReply) {
    join();
    const Push called = room.call("sum", {{"of", {1, 2}}});
    const PhxFrame call = peer->expect("sum");
    EXPECT_EQ(call.payload, json({{"of", {1, 2}}}));
    peer->reply(call, "ok", {{"sum", 3}});
    EXPECT_EQ(result_of(called)->json().value(), json({{"sum", 3}}));
    const Push binary = room.call_binary("blob", as_binary("\xff"));
    EXPECT_TRUE(peer->receive().payload.ends_with("room:1blob\xff"));
    binary.cancel();
}

TEST_F(Rpc, ALateReplyToACallIsToldToTheSocketAndToNobodyElse) {
    socket->on_message([this](const Message& message) {
        EXPECT_EQ(message.kind(), EventKind::phx_reply);
        seen.add(std::string(message.text()) + std::string(message.frame().status.value_or("none")));
    });
    join();
    const Push called = room.call("slow", Json::object(), 5ms);
    const PhxFrame call = peer->expect("slow");
    EXPECT_EQ(result_of(called).error().code, Errc::timeout);
    peer->reply(call, "ok", {{"too", "late"}});
    const Push next = room.call("next");
    peer->reply(peer->expect("next"), "ok", {{"n", 2}});
    EXPECT_EQ(result_of(next)->text(), R"({"n":2})");
    EXPECT_EQ(seen.first(), R"({"too":"late"}ok)");
    EXPECT_EQ(result_of(called).error().code, Errc::timeout);
}

// ---- requests

TEST_F(Rpc, AHandlerReturnsJson) {
    room.serve("sum", [](const Request& request) {
        EXPECT_EQ(request.method(), "sum");
        EXPECT_FALSE(request.binary());
        EXPECT_FALSE(request.is_one_way());
        const auto numbers = request.as<std::vector<int>>();
        int sum = 0;
        for (const int n : numbers.value()) sum += n;
        return Json{{"sum", sum}};
    });
    join();
    request({{"id", 7}, {"method", "sum"}, {"params", {1, 2, 3}}});
    EXPECT_EQ(response(), json({{"id", 7}, {"ok", {{"sum", 6}}}}));
    request({{"id", "7"}, {"method", "sum"}, {"params", json::array()}});
    EXPECT_EQ(response(), json({{"id", "7"}, {"ok", {{"sum", 0}}}}));
}

TEST_F(Rpc, AHandlerReturnsAResultWhoseFailureIsTheReason) {
    room.serve("half", [](const Request& request) -> Result<Json> {
        const auto n = request.as<int>();
        if (!n) return fail(Errc::invalid_argument, "no number");
        return Json(*n / 2);
    });
    join();
    request({{"id", 1}, {"method", "half"}, {"params", 8}});
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", 4}}));
    request({{"id", 2}, {"method", "half"}, {"params", "eight"}});
    EXPECT_EQ(response(), refused(2, "no number"));
}

TEST_F(Rpc, AHandlerReturnsAResponseOfEitherKindToRequestsOfEitherKind) {
    room.serve("bytes", [](const Request& request) {
        return Response::ok_binary(as_binary("<" + std::string(as_text(request.bytes())) + ">"));
    });
    room.serve("size", [](const Request& request) {
        EXPECT_TRUE(request.binary());
        EXPECT_EQ(request.text(), "");
        EXPECT_EQ(request.json().error().code, Errc::invalid_payload);
        return Json{{"size", request.bytes().size()}};
    });
    room.serve("bad", [](const Request&) { return Response::error_binary(as_binary("no")); });
    room.serve("null", [](const Request&) { return Response::ok_text("null"); });
    room.serve("custom", [](const Request&) { return Response::error({{"code", 7}}); });
    join();
    request_binary("\1\5"
                   "7bytes\0\xff"s);
    EXPECT_EQ(binary_response(), "\1\0"
                                 "7<\0\xff>"s);
    request({{"id", "a"}, {"method", "bytes"}, {"params", 1}});
    EXPECT_EQ(binary_response(), "\1\0"
                                 "a<1>"s);
    request_binary("\1\4"
                   "8size\0\xff"s);
    EXPECT_EQ(response(), json({{"id", "8"}, {"ok", {{"size", 2}}}}));
    request_binary("\1\3"
                   "9bad"s);
    EXPECT_EQ(binary_response(), "\1\1"
                                 "9no"s);
    request({{"id", 1}, {"method", "null"}});
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", nullptr}}));
    request({{"id", 2}, {"method", "custom"}});
    EXPECT_EQ(response(), json({{"id", 2}, {"error", {{"code", 7}}}}));
}

TEST_F(Rpc, AnswersLaterFromAnotherThreadAndOutOfOrder) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    request({{"id", 2}, {"method", "slow"}});
    const auto responders = later.wait_for(2);
    ASSERT_EQ(responders.size(), 2u);
    std::thread([&] {
        (*responders[1])(Json{{"n", 2}});
        (*responders[0])(Json{{"n", 1}});
        (*responders[0])(Json{{"n", "twice"}});
    }).join();
    EXPECT_EQ(response(), json({{"id", 2}, {"ok", {{"n", 2}}}}));
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", {{"n", 1}}}}));
    expect_quiet();
}

TEST_F(Rpc, AResponderThatIsDroppedAnswers) {
    room.serve("forget", [](const Request&, Responder) {});
    join();
    request({{"id", 1}, {"method", "forget"}});
    EXPECT_EQ(response(), refused(1, "no answer"));
}

TEST_F(Rpc, OneWayRequestsGetNoResponse) {
    room.serve("tell", [this](const Request& request) {
        EXPECT_TRUE(request.is_one_way());
        seen.add(std::string(request.text()));
        return Json();
    });
    room.serve("boom", [](const Request&) -> Json { throw std::runtime_error("bang"); });
    join();
    request({{"method", "tell"}, {"params", 1}});
    request({{"method", "tell"}, {"params", 2}, {"id", nullptr}});
    request({{"method", "nobody"}});
    request({{"method", "boom"}});
    request_binary("\0\4tell"s);
    expect_quiet();
    EXPECT_EQ(seen.all(), (std::vector<std::string>{"1", "2", ""}));
    EXPECT_EQ(error().code, Errc::handler_failed);
}

TEST_F(Rpc, AnExceptionIsReportedHereAndNotToldToTheServer) {
    room.serve("boom", [](const Request&) -> Json { throw std::runtime_error("secret"); });
    room.serve("later", [this](const Request&, Responder responder) {
        later.add(std::make_shared<Responder>(std::move(responder)));
        throw 42;
    });
    room.serve("utf8", [](const Request&) { return Json("\xff"); });
    join();
    request({{"id", 1}, {"method", "boom"}});
    EXPECT_EQ(response(), refused(1, "handler failed"));
    request({{"id", 2}, {"method", "later"}});
    EXPECT_EQ(response(), refused(2, "handler failed"));
    request({{"id", 3}, {"method", "utf8"}});
    EXPECT_EQ(response(), refused(3, "handler failed"));
    const auto reported = errors.wait_for(3);
    ASSERT_EQ(reported.size(), 3u);
    EXPECT_EQ(reported[0].message, "an exception left a handler: secret");
    for (const Error& each : reported) EXPECT_EQ(each.code, Errc::handler_failed);
    (*later.all()[0])(Json(1));
    expect_quiet();
}

TEST_F(Rpc, MalformedRequestsAreReportedAndAnsweredIfTheyHaveAnId) {
    serve_echo();
    join();
    request(json::array({1}));
    request({{"params", 1}});
    request({{"id", 5}, {"params", 1}});
    EXPECT_EQ(response(), refused(5, "malformed request"));
    request_binary("\2\1"
                   "4"s);
    request_binary("\1\3"
                   "6ab"s);
    EXPECT_EQ(response(), refused("6", "malformed request"));
    const auto reported = errors.wait_for(5);
    ASSERT_EQ(reported.size(), 5u);
    for (const Error& each : reported) {
        EXPECT_EQ(each.code, Errc::malformed_frame);
        EXPECT_EQ(each.origin, Origin::peer);
    }
    EXPECT_EQ(reported[1].message, "room:1: the request has no method");
    expect_quiet();
}

TEST_F(Rpc, AChannelThatServesNothingAnswersNothing) {
    room.on("rpc:request", [this](const Message& message) { seen.add(std::string(message.text())); });
    join();
    request({{"id", 1}, {"method", "m"}});
    EXPECT_EQ(seen.first(), R"({"id":1,"method":"m"})");
    serve_echo();
    settle();
    expect_quiet();
    EXPECT_EQ(seen.wait_for(2).size(), 2u); // and still sees what is answered
}

TEST_F(Rpc, ALaterHandlerOfAMethodTakesThePlaceOfTheOneBefore) {
    const HandlerId first = room.serve("n", [](const Request&) { return Json(1); });
    const HandlerId second = room.serve("n", [](const Request&) { return Json(2); });
    join();
    room.off(first); // names nothing any more
    request({{"id", 1}, {"method", "n"}});
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", 2}}));
    room.off(second);
    request({{"id", 2}, {"method", "n"}});
    EXPECT_EQ(response(), refused(2, "unknown method"));
}

TEST_F(Rpc, WhatCannotBeSentIsReportedAndAnsweredAsAFailure) {
    room.serve("text", [](const Request&) { return Response::ok_text("1,\"error\":2"); });
    room.serve("id", [](const Request&) { return Response::ok_binary({}); });
    join();
    request({{"id", 1}, {"method", "text"}});
    EXPECT_EQ(response(), refused(1, "handler failed"));
    const std::string id(256, 'i');
    request({{"id", id}, {"method", "id"}});
    EXPECT_EQ(response(), refused(id, "handler failed"));
    const auto reported = errors.wait_for(2);
    ASSERT_EQ(reported.size(), 2u);
    EXPECT_EQ(reported[0].code, Errc::invalid_payload);
    EXPECT_EQ(reported[1].code, Errc::field_too_long);
}

TEST(RpcOverVersion1, AnswersJsonAndFailsWithBytes) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.vsn = protocol::Vsn::v1;
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    auto room = socket.channel("room:1");
    room.serve("bytes", [](const Request&) { return Response::ok_binary(as_binary("x")); });
    room.serve("n", [](const Request&) { return Json(1); });
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    const auto say = [&](const json& ref, const char* event, const json& payload) {
        peer.send(1, json{{"topic", "room:1"}, {"event", event}, {"payload", payload}, {"ref", ref}}.dump());
    };
    const auto heard = [&] { return json::parse(peer.receive().payload); };
    say(heard().at("ref"), "phx_reply", {{"status", "ok"}, {"response", json::object()}});
    say(nullptr, "rpc:request", {{"id", 1}, {"method", "n"}});
    EXPECT_EQ(heard().at("payload"), json({{"id", 1}, {"ok", 1}}));
    say(nullptr, "rpc:request", {{"id", 2}, {"method", "bytes"}});
    EXPECT_EQ(heard().at("payload"), refused(2, "handler failed"));
    ASSERT_TRUE(errors.first());
    EXPECT_EQ(errors.first()->code, Errc::invalid_payload);
}

// ---- composition

RequestHandler guarded(RequestHandler next) {
    return [next = std::move(next)](const Request& request, Responder responder) mutable {
        const auto params = request.json();
        if (!params || params->value("token", "") != "secret")
            return responder(Response::refuse("forbidden"));
        next(request, std::move(responder));
    };
}

RequestHandler logged(RequestHandler next, Inbox<std::string>& log) {
    return [next = std::move(next), &log](const Request& request, Responder responder) mutable {
        auto done = [&log, method = std::string(request.method()),
                     responder = std::move(responder)](Response response) mutable {
            log.add(method + (response.is_ok() ? " ok " : " error ") + std::string(response.text()));
            responder(std::move(response));
        };
        next(request, Responder(std::move(done)));
    };
}

TEST_F(Rpc, HandlersWrapHandlers) {
    room.serve("get", logged(guarded([](const Request&) { return Json{{"n", 1}}; }), seen));
    room.serve("boom", logged([](const Request&) -> Json { throw 1; }, seen));
    room.serve("forget", logged([](const Request&, Responder) {}, seen));
    join();
    request({{"id", 1}, {"method", "get"}, {"params", {{"token", "secret"}}}});
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", {{"n", 1}}}}));
    request({{"id", 2}, {"method", "get"}});
    EXPECT_EQ(response(), refused(2, "forbidden"));
    request({{"id", 3}, {"method", "boom"}});
    EXPECT_EQ(response(), refused(3, "handler failed"));
    request({{"id", 4}, {"method", "forget"}});
    EXPECT_EQ(response(), refused(4, "no answer"));
    EXPECT_EQ(seen.all(),
              (std::vector<std::string>{R"(get ok {"n":1})", R"(get error {"reason":"forbidden"})",
                                        R"(boom error {"reason":"handler failed"})",
                                        R"(forget error {"reason":"no answer"})"}));
}

TEST(RpcHandler, CanBeAskedWithoutASocket) {
    std::string answer;
    RequestHandler handler = guarded([](const Request& request) { return Json(request.method()); });
    handler(Request("who", R"({"token":"secret"})"), Responder([&](Response response) {
                EXPECT_TRUE(response.is_ok());
                EXPECT_FALSE(response.binary());
                answer = as_text(response.bytes());
            }));
    EXPECT_EQ(answer, R"("who")");
    EXPECT_EQ(Response::refuse("a\"\xff\xc3\xa9\xc3").text(),
              "{\"reason\":\"a\\\"\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\"}");
}

} // namespace
} // namespace phx::test
