#pragma once

#include "phx/function.hpp"
#include "phx/result.hpp"

#include <string>
#include <vector>

namespace phx::shell {

class LoopCore;

/// Turns a host name into numeric addresses, off the loop thread (libwebsockets' own look-up blocks). Loop
/// thread only.
class Resolver {
public:
    using Done = Function<void(Result<std::vector<std::string>>)>;

    explicit Resolver(LoopCore& loop) : loop_(loop) {}
    /// The answer to a look-up under way is dropped.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// `done` is called once, later, with at least one address in the system's order of preference. Errors:
    /// connect_failed. One look-up at a time.
    void resolve(const std::string& host, Done done);

private:
    struct Request;
    LoopCore& loop_;
    Request* request_ = nullptr; // frees itself when libuv is done with it
};

} // namespace phx::shell
