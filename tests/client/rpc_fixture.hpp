#pragma once

#include "tests/client/client_fixture.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace phx::test {

inline json refused(const json& id, std::string_view reason) {
    return {{"id", id}, {"error", {{"reason", reason}}}};
}

class Rpc : public testing::Test {
protected:
    void open() {
        socket->on_error([this](const Error& error) { errors.add(error); });
        socket->connect();
        joined.emplace(room.join());
        peer.emplace(server.accept_upgraded());
    }
    /// What is served before it is there when requests come.
    void join() {
        open();
        accepted = peer->accept_join();
        ASSERT_TRUE(result_of(*joined));
    }
    /// Returns when everything that was posted before has been done.
    void settle() {
        std::promise<void> done;
        loop.post([&] { done.set_value(); });
        get(done.get_future());
    }

    void request(const json& payload) {
        peer->send_phx(accepted.join_ref, nullptr, "room:1", "rpc:request", payload);
    }
    void request_binary(const std::string& payload) {
        std::string frame = {2, 6, 11}; // a broadcast: sizes of topic and event
        peer->send(2, frame + "room:1rpc:request" + payload);
    }
    json response() { return peer->expect("rpc:response").payload; }
    std::string binary_response() {
        const WsFrame frame = peer->receive();
        EXPECT_EQ(frame.opcode, 2);
        const std::size_t found = frame.payload.find("rpc:response");
        return found == std::string::npos ? frame.payload : frame.payload.substr(found + 12);
    }
    /// A request that is answered later.
    void serve_later(std::string method) {
        room.serve(std::move(method), [this](const Request& request, Responder responder) {
            later.add(std::make_shared<Responder>(std::move(responder)));
            seen.add(std::string(request.method()));
        });
    }
    void serve_echo() {
        room.serve("echo", [](const Request& request) { return request.json(); });
    }
    /// Nothing is on its way but the answer to this.
    void expect_quiet() {
        request({{"id", "quiet"}, {"method", "quiet"}});
        EXPECT_EQ(response(), refused("quiet", "unknown method"));
    }
    Error error() {
        const auto first = errors.first();
        return first ? *first : Error{};
    }

    ScriptedServer server;
    Inbox<Error> errors;
    Inbox<std::string> seen;
    Inbox<std::shared_ptr<Responder>> later;
    Loop loop;
    std::optional<Socket> socket{std::in_place, loop, server.url(), quick()};
    Channel room = socket->channel("room:1");
    std::optional<Peer> peer;
    std::optional<Push> joined;
    PhxFrame accepted;
};

} // namespace phx::test
