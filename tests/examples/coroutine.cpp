// The same with co_await: any coroutine type will do, this is about the smallest.
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <coroutine>
#include <exception>
#include <future>

struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

Task chat(phx::Channel room, std::promise<int>& members) {
    if (auto joined = co_await room.join(); !joined) {
        members.set_value(-1);
        co_return;
    }
    auto push = room.push(
        "count", {{"of", "members"}}); // g++ 12: braced JSON must stay out of the co_await expression
    auto reply = co_await push;        // resumes on the loop's thread
    if (!reply) {
        members.set_value(-1);
        co_return;
    }
    members.set_value(reply->json().value()["members"].get<int>());
}

int main() {
    ExampleServer server;
    std::promise<int> members;
    phx::Loop loop;
    phx::Socket socket(loop, server.url());
    socket.connect();
    chat(socket.channel("room:lobby"), members);
    const int count = members.get_future().get();
    std::cout << count << " member\n";
    return count == 1 ? 0 : 1;
}
