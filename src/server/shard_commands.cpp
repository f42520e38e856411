#include "src/server/shard.hpp"

#include <exception>
#include <string>

// What Server is told to do, on any thread, when it arrives at the loop.
namespace phx::shell {

template <class Callback> void Shard::call_back(const char* name, Callback&& callback) noexcept {
    std::string what;
    try {
        return callback();
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no std::exception";
    }
    report(fail(Errc::handler_failed, std::string(name) + " threw: " + what).error);
}

void Shard::broadcast(std::string_view topic, std::string_view event, phx::server::PayloadView payload) {
    machine_.broadcast(loop_.now(), topic, event, payload);
    pump();
}

void Shard::send(const phx::server::Route& route, std::string_view event, phx::server::PayloadView payload,
                 const std::function<void(std::size_t)>& on_delivered) {
    const std::size_t count = machine_.send(loop_.now(), route, event, payload);
    pump();
    if (on_delivered) call_back("on_delivered", [&] { on_delivered(count); });
}

void Shard::disconnect(const phx::server::Route& route, std::uint16_t code) {
    machine_.disconnect(loop_.now(), route, code);
    pump();
}

} // namespace phx::shell
