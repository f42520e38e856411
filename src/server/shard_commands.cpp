#include "src/server/shard.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

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

std::size_t Shard::send(const phx::server::Route& route, std::string_view event,
                        phx::server::PayloadView payload, Reach reach) {
    const std::size_t count = machine_.send(loop_.now(), route, event, payload, reach);
    pump();
    return count;
}

void Shard::tell_delivered(const std::function<void(std::size_t)>& on_delivered, std::size_t count) noexcept {
    if (on_delivered) call_back("on_delivered", [&] { on_delivered(count); });
}

std::size_t Shard::disconnect(const phx::server::Route& route, std::uint16_t code, Reach reach) {
    const std::size_t count = machine_.disconnect(loop_.now(), route, code, reach);
    pump();
    return count;
}

void Shard::request(const phx::server::ClientRequest& wanted, AnswerHandler done) {
    const auto asked = machine_.request(loop_.now(), wanted.connection_id, wanted.topic, wanted.method,
                                        wanted.params, wanted.timeout);
    if (asked) {
        requests_.emplace(*asked, std::move(done));
    } else {
        call_back("the callback of a request", [&] { done(Failure{asked.error()}); });
    }
    pump();
}

void Shard::notify(const phx::server::ClientRequest& wanted) {
    const auto told =
        machine_.notify(loop_.now(), wanted.connection_id, wanted.topic, wanted.method, wanted.params);
    if (!told) report(told.error());
    pump();
}

void Shard::set_policies(std::vector<phx::server::Policy> policies) {
    machine_.set_policies(loop_.now(), std::move(policies));
    pump();
}

void Shard::drain(protocol::Duration spread, protocol::Duration timeout, Function<void(bool)> done) {
    const protocol::TimePoint end = protocol::after(loop_.now(), timeout);
    drain_end_ = drains_.empty() ? end : std::max(drain_end_, end);
    drains_.push_back(std::move(done));
    machine_.drain(loop_.now(), spread, timeout);
    pump();
}

bool Shard::serves_http() const {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const auto& connection) { return connection->is_being_served(); });
}

/// Done when nobody is connected and no HTTP request is under way; those are looked for now and then.
void Shard::look_at_drain() {
    constexpr protocol::Duration interval = std::chrono::milliseconds(50);
    next_drain_look_.reset();
    if (drains_.empty()) return;
    if (machine_.has_cut_off()) return finish_drain(false);
    const bool is_done = machine_.sessions() == 0 && !serves_http();
    if (is_done || loop_.now() >= drain_end_) return finish_drain(is_done);
    if (machine_.sessions() > 0) return;
    next_drain_look_ = loop_.now() + interval;
    arm_timer();
}

void Shard::finish_drain(bool is_in_order) {
    for (auto& done : std::exchange(drains_, {})) done(is_in_order);
}

void Shard::on(const protocol::server::event::RequestFinished& finished) {
    const auto waiting = requests_.extract(finished.request);
    call_back("the callback of a request", [&] { waiting.mapped()(*finished.answer); });
}

void Shard::on(const protocol::server::event::LateResponse& late) {
    counters_->late_responses.add();
    const Transport* const connection = find(late.session);
    report(connection, fail(Errc::timeout,
                            "connection " + (connection ? connection->record()->id : std::string("?")) +
                                " responded to a request that is over, or that nobody asked",
                            Origin::peer)
                           .error);
}

} // namespace phx::shell
