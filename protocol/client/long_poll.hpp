#pragma once

#include "phx/protocol/endpoint.hpp"
#include "protocol/client/long_poll_answer.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/wire/http_response.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace phx::protocol {

struct LongPollConfig {
    Url url = {};                                ///< complete: with /longpoll, params and vsn
    std::string auth_token = {};                 ///< empty: none
    Duration timeout = std::chrono::seconds(20); ///< of each request: phoenix.js longpollerTimeout
    Duration close_timeout = std::chrono::seconds(5);
    std::size_t max_message_bytes = 8u << 20; ///< of the server; a longer one ends the session with 1009
    std::size_t max_output_bytes = 64u << 20; ///< not yet answered for; a send beyond it is refused
};

/// What a LongPollMachine orders and reports.
namespace long_poll {

/// At most one request is under way on each.
enum class Lane : std::uint8_t {
    poll, ///< waits for messages
    push, ///< brings ours
};

/// An HTTP request: then handle_answer() or handle_failure(), unless it is dropped.
struct Request {
    Lane lane = Lane::poll;
    const char* method = "GET";
    std::string target = {}; ///< path and query; with the session token: not for logs
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
};
/// The answer of the request under way is not wanted any more.
struct Drop {
    Lane lane = Lane::poll;
};
/// The session is there.
struct Opened {};
/// A frame of the protocol. Text: no server sends others over long poll. It lives until the next one is
/// polled, or the next handle_*().
struct Message {
    std::string_view text = {};
};
/// The last report, exactly once: let go of both lanes.
struct Closed {
    CloseInfo how = {};
};

} // namespace long_poll

using LongPollReport = std::variant<long_poll::Request, long_poll::Drop, long_poll::Opened,
                                    long_poll::Message, long_poll::Closed>;

/// One session of Phoenix' long-poll transport, without its connections (phoenix.js longpoll.js).
///
///     idle --open()--> opening --410 and a token--> open --close(), output waits--> closing
///     opening --any other answer, failure, timeout, close()--> closed
///     open --410, 403, 500, what cannot be read, failure, timeout, close()--> closed
///     closing --the output is out, failure, timeout--> closed
///
/// Invariant: Closed is reported exactly once, and nothing after it.
///
/// Calling order: after every call that is not const, poll() until it gives nothing, then set the one timer
/// to next_timeout(). send(), flush() and close() may be called while messages of an answer are still to be
/// polled.
class LongPollMachine {
public:
    explicit LongPollMachine(LongPollConfig);
    LongPollMachine(const LongPollMachine&) = delete;
    LongPollMachine& operator=(const LongPollMachine&) = delete;

    void open(TimePoint now);
    /// Keeps a frame for the next flush(). Errors: socket_closed, buffer_full.
    Result<void> send(Opcode, std::string_view frame);
    /// To be called at the end of a turn: what was sent in it goes out together.
    void flush(TimePoint now);
    /// Ends the poll at once, and the session when the output is out.
    void close(TimePoint now, std::uint16_t code = 1000, std::string_view reason = {});

    void handle_answer(TimePoint now, long_poll::Lane, const HttpResponse&, std::string body);
    /// There is no answer, for this reason.
    void handle_failure(TimePoint now, long_poll::Lane, CloseInfo);
    void handle_timeout(TimePoint now);
    std::optional<TimePoint> next_timeout() const;

    std::optional<LongPollReport> poll();

    /// Of frames that the server has not taken.
    std::size_t waiting_bytes() const noexcept { return queued_bytes_ + sent_bytes_; }

private:
    enum class State : std::uint8_t { idle, opening, open, closing, closed };
    struct Line {
        Opcode kind;
        std::string text; ///< without a line end
    };

    std::optional<TimePoint>& deadline(long_poll::Lane lane) noexcept {
        return lane == long_poll::Lane::poll ? poll_deadline_ : push_deadline_;
    }
    long_poll::Request request(long_poll::Lane, const char* method);
    long_poll::Request poll_request();
    long_poll::Request push_request();
    void handle_session(LongPollAnswer);
    void handle_poll(LongPollAnswer);
    void handle_push(const LongPollAnswer&);
    void refuse(const HttpResponse&, std::string body);
    void end(std::uint16_t code, std::string_view reason, std::optional<Error>);
    void finish(CloseInfo);

    LongPollConfig config_;
    State state_ = State::idle;
    TimePoint now_{};
    std::optional<TimePoint> poll_deadline_ = {}; // while a request of the lane is under way
    std::optional<TimePoint> push_deadline_ = {};
    std::optional<TimePoint> close_deadline_ = {};
    std::optional<std::string> token_ = {};

    std::string body_; // of the answer whose messages are handed out
    LongPollMessages messages_;

    std::deque<Line> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t sent_bytes_ = 0; // of the request under way
    bool is_flushed_ = false;

    bool is_open_due_ = false; // poll() has yet to report these
    bool is_drop_due_ = false;
    bool is_closed_due_ = false;
    CloseInfo closed_ = {};
};

} // namespace phx::protocol
