#pragma once

#include "phx/function.hpp"
#include "phx/result.hpp"
#include "src/loop/loop_core.hpp"
#include "src/net/descriptor.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace phx::shell {

/// Where to connect to: the first of the addresses that answers.
struct DialTarget {
    std::string place = {};                  ///< for people: "host:port"
    std::vector<std::string> addresses = {}; ///< numeric; tried in this order, but families take turns
    std::uint16_t port = 0;
    std::string unix_socket = {};   ///< instead of addresses
    std::string local_address = {}; ///< an address or an interface; empty: the system chooses
};

/// Opens a TCP connection to one of several addresses by RFC 8305 ("happy eyeballs"): the next attempt starts
/// when the one before fails or has not answered for `attempt_delay`, the first that connects wins, the
/// others are dropped. Loop thread only, one use. It never gives up while an attempt may still succeed: the
/// connect timeout is the machine's.
class Dialer {
public:
    /// A connected socket that does not block. Errors: connect_failed, with what the system said of each
    /// address.
    using Done = Function<void(Result<Descriptor>)>;
    static constexpr Duration rfc_attempt_delay = std::chrono::milliseconds(250);

    explicit Dialer(LoopCore&, Duration attempt_delay = rfc_attempt_delay);
    /// `done` is not called any more.
    ~Dialer();
    Dialer(const Dialer&) = delete;
    Dialer& operator=(const Dialer&) = delete;

    /// `done` is called once, perhaps before this returns.
    void dial(DialTarget, Done done);

private:
    struct Attempt;

    void start_next();
    void handle_outcome(Attempt&, int status);
    void note_failure(const std::string& address, const std::string& why);
    void fail_all();
    void drop(Attempt&);

    LoopCore& loop_;
    LoopTimer timer_; // until the next attempt
    const Duration attempt_delay_;
    DialTarget target_;
    Done done_;
    std::size_t next_ = 0;
    std::vector<Attempt*> attempts_; // under way; libuv frees them
    std::string failures_;
};

} // namespace phx::shell
