#pragma once

#include "tests/support/server_driver.hpp"

#include <chrono>
#include <map>
#include <string>
#include <utility>

namespace phx::test {

/// The application that most tests of the server talk to: channels `room:*` and `exact`, with the events of
/// the one that the real servers were recorded with.
struct ServerApp {
    explicit ServerApp(server::ServerConfig config = {}) : driver(std::move(config)) {
        driver.machine.add_channel("room:*", {"intercepted"});
        driver.machine.add_channel("exact");
        driver.on_join = [this](std::string_view topic, phx::server::PayloadView) { return join(topic); };
        driver.on_message = [this](server::ReplyTo to, std::string_view event,
                                   phx::server::PayloadView payload) {
            return handle_in(to, event, payload);
        };
        driver.on_out = [](std::string_view event, phx::server::PayloadView payload) {
            return phx::server::Actions().push(event, payload);
        };
        driver.on_info = [this](std::string_view info) { return handle_info(info); };
    }

    phx::server::JoinAnswer join(std::string_view topic) {
        using phx::server::Actions;
        using phx::server::JoinAnswer;
        if (topic == "room:secret") return JoinAnswer::refuse(R"({"reason":"unauthorized"})");
        if (topic == "room:crash") driver.threw = true;
        JoinAnswer answer = JoinAnswer::ok();
        if (topic == "room:binary") answer.response = phx::server::Payload::binary("\x01\x02");
        if (topic == "room:slow") answer.delay = std::chrono::seconds(2);
        if (topic == "room:slowno") {
            answer = JoinAnswer::refuse(R"({"reason":"no"})");
            answer.delay = std::chrono::seconds(2);
        }
        if (topic == "room:push") answer.then.push("hello", R"({"n":1})").push("again");
        if (topic == "room:stop") answer.then.push("bye").stop().push("never");
        if (topic == "room:here") answer.then.presence_state().track("me", R"({"on":1})");
        return answer;
    }

    phx::server::Actions handle_in(server::ReplyTo to, std::string_view event,
                                   phx::server::PayloadView payload) {
        phx::server::Actions a;
        using phx::server::Payload;
        const std::string json(payload.data);
        if (event == "echo") return a.ok(payload);
        if (event == "fail") return a.error(payload);
        if (event == "custom") return a.reply("custom", payload);
        if (event == "twice") return a.ok(R"({"n":1})").ok(R"({"n":2})");
        if (event == "noreply") return a;
        if (event == "push_me") return a.push("pushed", payload);
        if (event == "new_msg") return a.broadcast("new_msg", payload);
        if (event == "new_msg_ack") return a.broadcast("new_msg", payload).ok();
        if (event == "new_msg_from") return a.broadcast_from("new_msg", payload);
        if (event == "intercepted") return a.broadcast("intercepted", payload);
        if (event == "binary_reply") return a.ok(Payload::binary("\x01\x02"));
        if (event == "binary_push") return a.push("bytes", Payload::binary("\x01\x02"));
        if (event == "binary_bcast") return a.broadcast("bytes", Payload::binary("\x01\x02"));
        if (event == "stop") return a.ok(payload).stop().push("never");
        if (event == "stop_noreply") return a.stop();
        if (event == "stop_error") return a.stop(phx::server::StopReason::crash);
        if (event == "close") return a.push("bye").close_connection(4000, "enough").push("never");
        if (event == "kick") return a.disconnect("users:1");
        if (event == "track") return a.track("me", json).ok();
        if (event == "track2") return a.track("me", json).track("other", json);
        if (event == "untrack") return a.untrack("me").ok();
        if (event == "list") return a.presence_state();
        if (event == "state") return a.state(json);
        if (event == "soon") return a.after(std::chrono::seconds(1), "tick");
        if (event == "slow") {
            waiting = to;
            return a.after(std::chrono::seconds(1), "answer");
        }
        driver.threw = true;
        return a;
    }

    phx::server::Actions handle_info(std::string_view info) {
        phx::server::Actions a;
        if (info == "answer")
            return a.reply_to(waiting, "ok", R"({"late":1})").reply_to(waiting, "ok", R"({"late":2})");
        return a.push(info);
    }

    ServerDriver driver;
    server::ReplyTo waiting;
};

} // namespace phx::test
