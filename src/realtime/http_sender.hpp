#pragma once

#include "protocol/realtime/rest.hpp"
#include "src/client/push_state.hpp"
#include "src/loop/loop_core.hpp"
#include "src/net/connection_target.hpp"
#include "src/net/http_client.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phx::shell {

struct HttpSenderLimits {
    std::size_t max_connections = 4;
    std::size_t max_requests = 1000;   ///< that wait or are under way; one more is buffer_full
    std::size_t max_bytes = 64u << 20; ///< of them, likewise
    /// How long a connection is kept for the next request. Cowboy closes it five seconds after the last one
    /// (request_timeout): a request that leaves in the same moment would be lost, and is not sent again.
    Duration max_idle = std::chrono::seconds(4);
};

/// Sends broadcasts as POST requests, each once, over a few connections that are kept for the next. Requests
/// leave in their order; over several connections the server may take them in another. Loop thread only; it
/// may be destroyed at any time, but for inside a call of its own.
///
///     waiting (for the credentials, for a connection) -> under way -> finished
///
/// Every push finishes once, from a task of the loop and never inside a call of the sender. The
/// server may have acted on a request whose answer is lost, so that none is sent twice.
class HttpSender final : private HttpClient::Listener {
public:
    using Limits = HttpSenderLimits;
    using PushPtr = std::shared_ptr<PushState>;
    using Headers = std::vector<std::pair<std::string, std::string>>;
    /// Asked for each request; answers on the loop thread, at once or later, but not after the sender's end.
    using Credentials = Function<void(Function<void(Result<Headers>)>)>;

    struct Request {
        std::string target = {};       ///< path and query below the base, as single_target() makes it
        std::string content_type = {}; ///< of the body
        /// With the credentials. They stand in no error, also where the server repeats them.
        Headers headers = {};
        std::string body = {};
        protocol::realtime::BroadcastEndpoint endpoint = protocol::realtime::BroadcastEndpoint::single;
    };

    /// `target.url` is the rest_base() of all requests.
    HttpSender(LoopCore&, ConnectionTarget target, Limits = {}, Credentials = {});
    ~HttpSender();
    HttpSender(const HttpSender&) = delete;
    HttpSender& operator=(const HttpSender&) = delete;

    /// `timeout` is more than zero. The push finishes with a reply of status "ok", whose response is the body
    /// if that is JSON, or with the error of outcome_of_broadcast(), that of the credentials, that of the
    /// connection, timeout (counted from here), buffer_full, invalid_argument (a header that could end the
    /// request's head), cancelled or socket_closed.
    void send(Request, Millis timeout, PushPtr);
    /// Gives the request up if it is here. A push whose `is_cancelled` is set is not sent any more, and
    /// finishes likewise when its turn or its answer comes.
    void cancel(const PushState&);
    /// Every request fails with socket_closed, also those that follow.
    void close();

private:
    struct Job {
        Request request;
        PushPtr push;
        TimePoint since;
        TimePoint deadline;
        std::size_t bytes;
        bool has_credentials;
    };
    /// One connection.
    struct Lane {
        explicit Lane(HttpSender&);
        HttpClient client;
        std::optional<Job> job = {};
        std::optional<TimePoint> idle_until = {}; // there may be a connection to be closed then
    };

    void http_answered(HttpClient&, const protocol::HttpResponse&, std::string body) override;
    void http_failed(HttpClient&, LinkEnd) override;

    Lane& lane_of(const HttpClient&);
    Lane* free_lane();
    Job take_job(Lane&);
    void give_credentials(const Result<Headers>&);
    void start_waiting();
    void start(Lane&, Job);
    void handle_timeout();
    void wake_at(TimePoint);
    void finish(Job, Reply, std::optional<Error>);
    void finish_soon(PushPtr, Reply, std::optional<Error>);

    LoopCore& loop_;
    const ConnectionTarget target_;
    const Limits limits_;
    Credentials credentials_;
    std::deque<Lane> lanes_; // made when they are needed
    std::deque<Job> waiting_;
    std::size_t jobs_ = 0;  // waiting and under way
    std::size_t bytes_ = 0; // of them
    bool is_closed_ = false;
    TimePoint wakes_at_ = TimePoint::max();
    LoopTimer timer_;
};

} // namespace phx::shell
