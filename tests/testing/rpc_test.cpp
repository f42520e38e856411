#include "world_fixture.hpp"

#include <optional>

// Requests of the server to the real client, and its calls, in virtual time.
namespace phx::test {
namespace {

using server::Actions;
using server::ClientRequest;
using server::Context;
using server::MessageHandler;
using server::Middleware;
using server::Payload;
using server::PayloadView;

/// A World whose client serves "sum" (and "blob" with bytes) on room:lobby; "silent" is never answered in
/// time, because its Responder waits in `later`.
struct Rpc {
    explicit Rpc(server::Handlers handlers = room()) {
        world.server().channel("room:*", std::move(handlers));
        lobby.serve("sum", [](const Request& request) -> Result<Json> {
            const auto numbers = request.as<std::vector<int>>();
            if (!numbers) return fail(Errc::invalid_argument, "no numbers");
            int sum = 0;
            for (const int number : *numbers) sum += number;
            return Json(sum);
        });
        lobby.serve("blob", [](const Request& request) { return Response::ok_binary(request.bytes()); });
        lobby.serve("silent",
                    [this](const Request&, Responder responder) { later.emplace(std::move(responder)); });
        socket.connect();
        EXPECT_TRUE(lobby.join().wait());
    }
    void ask(std::string method, Payload params = "[1,2]", Millis timeout = 10s) {
        answer.reset();
        const auto who = world.server().connections(server::Route::topic("room:lobby"));
        ASSERT_EQ(who.size(), 1U);
        world.server().request({.connection_id = who[0]->id,
                                .topic = "room:lobby",
                                .method = std::move(method),
                                .params = std::move(params),
                                .timeout = timeout},
                               [this](const Result<Payload>& result) { answer = result; });
    }
    Result<Payload> wait() {
        EXPECT_TRUE(world.run_until([&] { return answer.has_value(); }));
        return *answer;
    }

    std::optional<Result<Payload>> answer;
    std::vector<Error> reported;
    World world{1, {.server = {.on_error = [this](const Error& error) { reported.push_back(error); }}}};
    Socket socket{world.loop(), world.url()};
    Channel lobby = socket.channel("room:lobby");
    std::optional<Responder> later;
};

// ---- the server asks

TEST(WorldRpc, TheServerAsksInJsonAndInBytes) {
    Rpc rpc;
    rpc.ask("sum");
    EXPECT_EQ(rpc.wait().value().data, "3");
    rpc.ask("sum", R"("text")");
    const auto refused = rpc.wait();
    EXPECT_EQ(refused.error().code, Errc::rejected);
    EXPECT_EQ(refused.error().detail->reply, R"({"reason":"no numbers"})");
    rpc.ask("blob", Payload::binary("\xff\x01"));
    EXPECT_EQ(rpc.wait().value().data, "\xff\x01");
    EXPECT_TRUE(rpc.wait().value().kind == protocol::Opcode::binary);
    rpc.ask("nothing");
    EXPECT_EQ(rpc.wait().error().detail->reply, R"({"reason":"unknown method"})");
}

TEST(WorldRpc, AnAnswerThatIsLateIsReportedAndForNobody) {
    Rpc rpc;
    const Micros begin = rpc.world.now();
    rpc.ask("silent");
    EXPECT_EQ(rpc.wait().error().code, Errc::timeout);
    EXPECT_GE(rpc.world.now() - begin, 10s);
    EXPECT_LT(rpc.world.now() - begin, 11s);
    (*rpc.later)(Json(1));
    rpc.ask("sum");
    EXPECT_EQ(rpc.wait().value().data, "3");
    ASSERT_EQ(rpc.reported.size(), 1U);
    EXPECT_EQ(rpc.reported[0].code, Errc::timeout);
    EXPECT_EQ(rpc.reported[0].origin, Origin::peer);
}

TEST(WorldRpc, ARequestEndsWithItsChannelItsConnectionOrItsServer) {
    Rpc rpc;
    rpc.ask("silent");
    rpc.world.run_for(1s);
    rpc.lobby.leave();
    EXPECT_EQ(rpc.wait().error().code, Errc::channel_closed);
    EXPECT_TRUE(rpc.lobby.join().wait());
    rpc.ask("silent");
    rpc.world.run_for(1s);
    rpc.world.drop_connections();
    EXPECT_EQ(rpc.wait().error().code, Errc::disconnected);
    EXPECT_TRUE(rpc.world.run_until([&] { return rpc.lobby.state() == ChannelState::joined; }));
    rpc.ask("silent");
    rpc.world.server().stop();
    EXPECT_EQ(rpc.wait().error().code, Errc::disconnected);
    rpc.answer.reset();
    rpc.world.server().request({}, [&](const Result<Payload>& result) { rpc.answer = result; });
    EXPECT_EQ(rpc.wait().error().code, Errc::socket_closed);
}

TEST(WorldRpc, AHandlerAsksAndIsToldTheAnswer) {
    server::Handlers handlers;
    handlers.handle_in = [](const Context&, std::string_view, PayloadView payload) {
        return Actions().request("tag", "sum", payload).notify("sum", "[1]").ok();
    };
    handlers.handle_response = [](const Context&, std::string_view tag, const Result<Payload>& answer) {
        EXPECT_EQ(tag, "tag");
        return Actions().push("sum", answer ? *answer : Payload(answer.error().message));
    };
    Rpc rpc(handlers);
    std::vector<std::string> sums;
    rpc.lobby.on("sum", [&](const Message& message) { sums.emplace_back(message.text()); });
    EXPECT_TRUE(rpc.lobby.push("ask", Json::array({1, 2, 3})).wait());
    rpc.world.run_for(1s);
    EXPECT_EQ(sums, std::vector<std::string>{"6"});
    EXPECT_EQ(rpc.world.server().received("room:lobby", "rpc:response").size(), 1U); // none to the notice
}

// ---- the client calls

/// Notes its name before and after what it wraps.
Middleware noting(std::string name, std::vector<std::string>& notes) {
    return [name, &notes](MessageHandler next) {
        return [name, &notes, next](const Context& context, std::string_view event, PayloadView payload) {
            notes.push_back(name + " " + std::string(event));
            Actions actions = next(context, event, payload);
            notes.push_back(name + " " + std::to_string(actions.list.size()));
            return actions;
        };
    };
}

TEST(WorldRpc, ACallReachesTheHandlerOfItsMethod) {
    server::Handlers handlers;
    handlers.requests["double"] = [](const Context&, std::string_view method, PayloadView params) {
        EXPECT_EQ(method, "double");
        if (params.binary())
            return Actions().ok(Payload::binary(std::string(params.data) + std::string(params.data)));
        return Actions().ok("[" + std::string(params.data) + "," + std::string(params.data) + "]");
    };
    handlers.requests["slow"] = [](const Context& context, std::string_view, PayloadView) {
        return Actions().after(20s, std::to_string(context.reply_to.id));
    };
    handlers.handle_info = [](const Context&, std::string_view info) {
        return Actions().reply_to({std::stoull(std::string(info))}, "ok");
    };
    handlers.handle_in = [](const Context&, std::string_view event, PayloadView) {
        return Actions().error("\"" + std::string(event) + "\"");
    };
    Rpc rpc(handlers);
    EXPECT_EQ(rpc.lobby.call("double", Json(4)).wait().value().text(), "[4,4]");
    EXPECT_EQ(as_text(rpc.lobby.call_binary("double", as_binary("\xff")).wait().value().bytes()), "\xff\xff");
    EXPECT_EQ(rpc.lobby.call("other").wait().error().detail->reply, R"("other")");
    EXPECT_EQ(rpc.lobby.call("slow").wait().error().code, Errc::timeout);
    EXPECT_TRUE(rpc.lobby.call("slow", {}, 30s).wait());
}

TEST(WorldRpc, MiddlewareWrapsCallsAndPushesOutermostFirst) {
    std::vector<std::string> notes;
    server::Handlers handlers = room();
    handlers.requests["one"] = [](const Context&, std::string_view, PayloadView) {
        return Actions().ok("1");
    };
    handlers.around = {noting("outer", notes), noting("inner", notes), [](MessageHandler next) {
                           return
                               [next](const Context& context, std::string_view event, PayloadView payload) {
                                   if (event == "secret") return Actions().error(R"({"reason":"no"})");
                                   return next(context, event, payload);
                               };
                       }};
    Rpc rpc(handlers);
    EXPECT_TRUE(rpc.lobby.call("one").wait());
    EXPECT_TRUE(rpc.lobby.push("shout").wait());
    EXPECT_EQ(rpc.lobby.push("secret").wait().error().detail->reply, R"({"reason":"no"})");
    EXPECT_EQ(notes, (std::vector<std::string>{"outer one", "inner one", "inner 1", "outer 1", "outer shout",
                                               "inner shout", "inner 2", "outer 2", "outer secret",
                                               "inner secret", "inner 1", "outer 1"}));
}

TEST(WorldRpc, RefusesHandlersThatAreEmpty) {
    World world;
    EXPECT_THROW(world.server().channel("a", {.requests = {{"m", nullptr}}}), std::invalid_argument);
    EXPECT_THROW(world.server().channel("a", {.around = {nullptr}}), std::invalid_argument);
}

} // namespace
} // namespace phx::test
