#pragma once

#include "protocol/wire/http_response.hpp"
#include "src/net/client_link.hpp"
#include "src/net/connection_target.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

struct HttpCall {
    std::string_view method = "GET";
    std::string target = {}; ///< path and query
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
};

/// HTTP/1.1 requests to one server, one after the other, over a connection that is kept for the next one.
/// Loop thread only. It has no timeouts: the machine has.
class HttpClient final : private ClientLink::Listener {
public:
    class Listener {
    public:
        virtual void http_answered(HttpClient&, const protocol::HttpResponse&, std::string body) = 0;
        /// There is no answer; the error says why. Never inside a call of the client.
        virtual void http_failed(HttpClient&, LinkEnd) = 0;

    protected:
        ~Listener() = default;
    };

    /// What becomes of an answer whose body is too long, or breaks off.
    enum class PartialBody : std::uint8_t { fails, is_taken };
    HttpClient(LoopCore&, Listener&, ConnectionTarget, std::size_t max_body_bytes,
               PartialBody = PartialBody::fails);

    /// REQUIRES that no request is under way
    void send(const HttpCall&);
    /// Ends the connection and with it the request, if one is under way: nobody is called.
    void cancel();

private:
    void link_opened() override { link_->say(bytes_); }
    void link_received(std::span<char> bytes) override;
    std::string_view link_output() override { return {}; }
    void link_wrote(std::size_t) override {}
    void link_ended(LinkEnd) override;

    std::string bytes_of(const HttpCall&) const;
    void connect();
    void drop_link();
    void handle_answered();
    void fail_with(Failure why);

    LoopCore& loop_;
    Listener& listener_;
    const ConnectionTarget target_;
    const std::size_t max_body_bytes_;
    const PartialBody partial_body_;
    std::unique_ptr<ClientLink> link_;
    bool is_waiting_ = false;    // for an answer
    bool is_repeatable_ = false; // the request, over another connection
    std::string bytes_;          // of the request
    protocol::HttpResponseReader reader_;
    protocol::HttpResponse response_;
    std::optional<protocol::HttpBody> body_; // once the head is read
};

} // namespace phx::shell
