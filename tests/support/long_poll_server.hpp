#pragma once

#include "tests/support/scripted_server.hpp"

#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace phx::test {

/// One request, and the connection that it came over.
struct LongPollRequest {
    Peer* peer = nullptr;
    std::string head = {};
    std::string body = {};

    bool is(std::string_view method) const { return head.starts_with(method); }
    std::string header(std::string_view name) const { return Peer::header_of(head, name); }
    /// Path and query.
    std::string target() const;
    /// The frames of a text body.
    std::vector<PhxFrame> frames() const;
};

/// Phoenix' long poll as a test tells it, over a ScriptedServer: whichever connections the client opens, the
/// test asks for the next request of a kind. In the thread of the test.
class LongPollServer {
public:
    explicit LongPollServer(ScriptedServer& server) : server_(server) {}

    /// The next GET (or POST), over whatever connection; others wait for their turn.
    LongPollRequest next(std::string_view method);
    /// Answers 410 with a token to a GET, and returns it.
    LongPollRequest open_session(const std::string& token = "T");
    /// Answers the next POST with 200.
    LongPollRequest take_push();
    /// Answers the next poll with these frames.
    void deliver(const std::vector<json>& frames);
    /// Takes the join and accepts it over the poll.
    PhxFrame accept_join(const json& response = json::object());
    void reply(const PhxFrame& to, std::string_view status, const json& response = json::object()) {
        deliver({json::array(
            {to.join_ref, to.ref, to.topic, "phx_reply", {{"status", status}, {"response", response}}})});
    }

    static void answer(const LongPollRequest&, const json& body);
    static std::string response(const json& body, std::string_view extra_headers = {});
    /// How many connections the client has opened.
    std::size_t connections() const noexcept { return accepted_; }

private:
    ScriptedServer& server_;
    std::list<Peer> peers_; // also those that have ended: requests point to them
    std::vector<LongPollRequest> waiting_;
    std::size_t accepted_ = 0;
};

} // namespace phx::test
