#pragma once

#include "tests/client/client_fixture.hpp"

namespace phx::test {

/// A socket whose errors are kept; it tries once.
struct Attempt {
    explicit Attempt(const std::string& url, SocketOptions options = quick()) {
        options.retry.max_attempts = 1;
        socket.emplace(loop, url, std::move(options));
        socket->on_error([this](const Error& error) { errors.add(error); });
        socket->connect();
    }
    Error error() {
        const auto first = errors.first();
        return first ? *first : Error{};
    }

    Inbox<Error> errors;
    Loop loop;
    std::optional<Socket> socket;
};

} // namespace phx::test
