#pragma once

#include "tests/conformance/http_event.hpp"
#include "tests/conformance/raw_connection.hpp"
#include "tests/conformance/scenario.hpp"

#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace phx::conformance {

/// A recorded connection, played again to a server on this port. It throws std::runtime_error for what no
/// server may do.
class Peer {
public:
    enum class End : std::uint8_t { open, by_client, by_server };

    /// Asks for an upgrade; the answer is the next event.
    void connect(std::uint16_t port, std::string_view target, HttpHeaders headers);
    /// Asks on a connection of its own; the answer is the next event.
    void request(std::uint16_t port, std::string_view method, std::string_view target,
                 const HttpHeaders& headers, std::string_view body);
    /// A recorded frame, fragment or close. `payload` is that of the step, or what stands for it.
    void send(const Step& step, std::string_view payload);
    /// Ends the TCP connection without a word.
    void drop();

    /// What the server says next, in the form of event_of(). An event that was put back comes first. A close
    /// frame is answered, and the server then has to end the TCP connection.
    nlohmann::json next_event();
    void put_back(nlohmann::json event) { events_.push_front(std::move(event)); }

    /// Everything that the server had to say before has come when it answers this heartbeat; anything but the
    /// answer is too much.
    void flush(const std::string& name);
    /// Says something, and gives what comes next.
    nlohmann::json ask(const nlohmann::json& frame);

    bool is_open() const { return end_ == End::open; }
    bool is_v2() const { return is_v2_; }
    AskedBy asked_by() const { return asked_by_; }

private:
    nlohmann::json closed(const Received& close);
    void send_text_or_bytes(const Step& step, std::string_view payload);

    std::unique_ptr<RawConnection> raw_ = {};
    bool is_v2_ = false;
    bool in_fragments_ = false;
    End end_ = End::open;
    AskedBy asked_by_ = AskedBy::program;
    std::deque<nlohmann::json> events_ = {};
    int flushes_ = 0;
};

/// The headers of a recorded request.
HttpHeaders headers_of(const Step& step);
/// Path and query of a URL.
std::string target_of(const std::string& url);

} // namespace phx::conformance
