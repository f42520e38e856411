// The server asks, this program answers: a handler that answers at once, one that answers from a thread of
// its own, and one that lets only some requests through.
#include <phx/phx.hpp>
#include <phx/server/server.hpp>

#include <cstdlib>
#include <future>
#include <iostream>
#include <string>
#include <thread>

/// A room that asks whoever joins a few things, and pushes what it is answered as "answered".
class AskingServer {
public:
    AskingServer() {
        phx::server::Handlers room;
        room.join = [](const phx::server::Context&, phx::server::PayloadView) {
            auto answer = phx::server::JoinAnswer::ok();
            answer.then.request("battery", "battery")
                .request("square", "square", "12")
                .request("reboot", "reboot", R"({"pin":"0000"})")
                .notify("print", R"("hello")"); // one-way
            return answer;
        };
        room.handle_response = [](const phx::server::Context&, std::string_view tag,
                                  const phx::Result<phx::server::Payload>& answer) {
            const phx::Json said = {{"to", tag}, {"answer", answer ? answer->data : answer.error().message}};
            return phx::server::Actions().push("answered", said.dump());
        };
        server_.channel("room:*", room);
        url_ = "ws://127.0.0.1:" + std::to_string(server_.start().value()) + "/socket";
    }
    const std::string& url() const { return url_; }

private:
    phx::server::Server server_;
    std::string url_;
};

/// Middleware: a handler that wraps another.
phx::RequestHandler with_pin(std::string pin, phx::RequestHandler next) {
    return [pin = std::move(pin), next = std::move(next)](const phx::Request& request,
                                                          phx::Responder responder) mutable {
        const auto params = request.json();
        if (!params || params->value("pin", "") != pin) return responder(phx::Response::refuse("wrong pin"));
        next(request, std::move(responder));
    };
}

int main() {
    AskingServer server;
    std::thread worker;
    std::promise<void> all_answered;
    int answers = 0;

    phx::Loop loop;
    phx::Socket socket(loop, server.url());
    socket.on_error([](const phx::Error& error) { std::cerr << error.message << '\n'; });
    auto room = socket.channel("room:lobby");
    room.serve("battery", [](const phx::Request&) { return phx::Json{{"percent", 87}}; });
    room.serve("square", [&](const phx::Request& request, phx::Responder responder) {
        worker = std::thread([n = request.as<int>(), responder = std::move(responder)]() mutable {
            if (!n) return responder(phx::Response::refuse("square what?"));
            responder(phx::Json(*n * *n));
        });
    });
    room.serve("reboot", with_pin("1234", [](const phx::Request&) { return phx::Json("rebooting"); }));
    room.serve("print", [](const phx::Request& request) {
        std::cout << request.text() << '\n';
        return phx::Json();
    });
    room.on("answered", [&](const phx::Message& message) {
        std::cout << message.text() << '\n';
        if (++answers == 3) all_answered.set_value();
    });
    socket.connect();
    if (!room.join().wait()) return 1; // what is served before is there when requests come

    all_answered.get_future().wait();
    worker.join();
    return 0;
}
