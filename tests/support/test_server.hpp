#pragma once

#include "phx/server/server.hpp"
#include "tests/support/ws_client.hpp"

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

/// A server on a free port, with one channel for all topics that echoes; what it reports is collected.
class TestServer {
public:
    explicit TestServer(server::Options options = {}, server::Handlers handlers = echo(),
                        std::vector<std::string> effects = {})
        : server_(collect(options)) {
        for (const std::string& name : effects) server_.effect(name, effect(name));
        server_.channel("room:*", std::move(handlers));
        port_ = server_.start().value();
    }

    std::uint16_t port() const { return port_; }
    server::Server& operator*() { return server_; }
    server::Server* operator->() { return &server_; }
    std::vector<Error> errors() {
        std::lock_guard lock(mutex_);
        return errors_;
    }

    /// "name json" of each that ran.
    std::vector<std::string> effects() {
        std::lock_guard lock(mutex_);
        return effects_;
    }

    static server::Handlers echo() {
        server::Handlers handlers;
        handlers.handle_in = [](const server::Context&, std::string_view event, server::PayloadView payload) {
            if (event == "broadcast") return server::Actions().broadcast("news", payload).ok();
            if (event == "crash") throw std::runtime_error("on purpose");
            return server::Actions().ok(payload);
        };
        return handlers;
    }

private:
    std::function<void(std::string_view)> effect(const std::string& name) {
        return [this, name](std::string_view json) {
            if (name == "throws") throw std::runtime_error("on purpose");
            std::lock_guard lock(mutex_);
            effects_.push_back(name + " " + std::string(json));
        };
    }
    server::Options collect(server::Options options) {
        options.on_error = [this](const Error& error) {
            std::lock_guard lock(mutex_);
            errors_.push_back(error);
        };
        return options;
    }

    std::mutex mutex_;
    std::vector<Error> errors_;
    std::vector<std::string> effects_;
    server::Server server_;
    std::uint16_t port_ = 0;
};

inline constexpr const char* heartbeat = R"([null,"9","phoenix","heartbeat",{}])";
inline constexpr const char* heartbeat_reply =
    R"([null,"9","phoenix","phx_reply",{"status":"ok","response":{}}])";

/// Whether a client that did nothing wrong is still served.
inline bool is_served(WsClient& client) { return client.call(heartbeat) == heartbeat_reply; }

} // namespace phx::test
