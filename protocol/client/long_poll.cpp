#include "protocol/client/long_poll.hpp"

#include "phx/protocol/base64.hpp"
#include "protocol/wire/retry_after.hpp"

#include <algorithm>
#include <memory>

namespace phx::protocol {
namespace {

using long_poll::Lane;

constexpr std::size_t max_batch = 100;              // phoenix.js MAX_LONGPOLL_BATCH_SIZE
constexpr std::size_t max_batch_bytes = 4u << 20;   // Plug reads bodies of 8,000,000 bytes
constexpr std::size_t max_detail_bytes = 16u << 10; // of a body that is kept in an error

constexpr std::uint16_t no_code = 1005;
constexpr std::uint16_t forbidden = 1008;
constexpr std::uint16_t too_large = 1009;
constexpr std::uint16_t internal_error = 1011;
constexpr std::uint16_t session_gone = 3410;
constexpr const char* internal_error_text = "internal server error";

/// Stricter than a header: a token has no tabs either.
bool has_no_control_characters(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < ' ' || byte == 0x7f;
    });
}

Error error_of(Errc code, std::string message, Origin origin = Origin::peer) {
    return fail(code, std::move(message), origin).error;
}

Error ended_with(std::uint16_t code, std::string message) {
    Error error = error_of(Errc::server_closed, std::move(message));
    auto detail = std::make_shared<ErrorDetail>();
    detail->close_code = code;
    error.detail = std::move(detail);
    return error;
}

Error unexpected(int status) {
    return ended_with(internal_error, "the server ended the long poll with status " + std::to_string(status));
}

Error refused(Errc code, int status, const char* advice) {
    Error error =
        error_of(code, "the server refused the long poll with status " + std::to_string(status) + advice);
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = status;
    error.detail = std::move(detail);
    return error;
}

Error forbidden_error() { return refused(Errc::bad_auth, 403, "; check token, params and rights"); }

} // namespace

LongPollMachine::LongPollMachine(LongPollConfig config) : config_(std::move(config)) {}

// ---- commands

void LongPollMachine::open(TimePoint now) {
    now_ = now;
    if (state_ != State::idle) return;
    state_ = State::opening;
    if (has_no_control_characters(config_.auth_token)) return;
    end(no_code, {},
        error_of(Errc::invalid_argument, "the token has control characters and fits into no HTTP header",
                 Origin::local));
}

Result<void> LongPollMachine::send(Opcode kind, std::string_view frame) {
    if (state_ != State::opening && state_ != State::open) {
        return fail(Errc::socket_closed, "the long poll is closed");
    }
    const std::size_t bytes = kind == Opcode::binary ? (frame.size() + 2) / 3 * 4 : frame.size();
    if (bytes > config_.max_output_bytes - std::min(waiting_bytes(), config_.max_output_bytes)) {
        return fail(Errc::buffer_full, "the server takes too little: the output is full");
    }
    Line line{kind, {}};
    if (kind == Opcode::binary) {
        base64_encode_to(line.text, frame);
    } else {
        line.text = frame;
        // Between the tokens of JSON, where a space is as good; inside strings there are none.
        std::replace_if(
            line.text.begin(), line.text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    }
    queued_bytes_ += bytes;
    queue_.push_back(std::move(line));
    return {};
}

void LongPollMachine::flush(TimePoint now) {
    now_ = now;
    is_flushed_ = !queue_.empty();
}

void LongPollMachine::close(TimePoint now, std::uint16_t code, std::string_view reason) {
    now_ = now;
    if (state_ == State::closing || state_ == State::closed) return;
    closed_ = CloseInfo{.code = code, .reason = std::string(reason)};
    if (state_ != State::open || (queue_.empty() && !push_deadline_)) return finish(std::move(closed_));
    state_ = State::closing;
    close_deadline_ = after(now, config_.close_timeout);
    messages_.stop();
    is_flushed_ = true;
    is_drop_due_ = poll_deadline_.has_value();
    poll_deadline_.reset();
}

// ---- what comes

void LongPollMachine::handle_answer(TimePoint now, Lane lane, const HttpResponse& response,
                                    std::string body) {
    now_ = now;
    if (!deadline(lane)) return;
    deadline(lane).reset();
    if (response.status != 200) return refuse(response, std::move(body));
    std::string& text = lane == Lane::poll ? body_ : body;
    if (lane == Lane::poll) body_ = std::move(body);
    auto answer = read_long_poll_answer(text);
    if (!answer) {
        Error error = std::move(answer).error();
        error.message = "the answer to a long poll cannot be read: " + error.message;
        return end(internal_error, "unreadable answer", std::move(error));
    }
    if (lane == Lane::push) return handle_push(*answer);
    state_ == State::opening ? handle_session(*std::move(answer)) : handle_poll(*std::move(answer));
}

void LongPollMachine::handle_session(LongPollAnswer answer) {
    if (answer.status == 410 && answer.token) {
        token_ = std::move(answer.token);
        state_ = State::open;
        is_open_due_ = true;
        return;
    }
    if (answer.status == 403) return end(forbidden, "forbidden", forbidden_error());
    end(internal_error, internal_error_text, refused(Errc::upgrade_refused, answer.status, ""));
}

void LongPollMachine::handle_poll(LongPollAnswer answer) {
    switch (answer.status) {
    case 200: messages_ = LongPollMessages(answer.messages); [[fallthrough]];
    case 204:
        if (answer.token) token_ = std::move(answer.token);
        return;
    case 410:
        // phoenix.js #6538: the channels are gone with it, so that the socket has to join them again.
        return end(session_gone, "session_gone", ended_with(session_gone, "the long-poll session is gone"));
    case 403: return end(forbidden, "forbidden", forbidden_error());
    default: return end(internal_error, internal_error_text, unexpected(answer.status));
    }
}

void LongPollMachine::handle_push(const LongPollAnswer& answer) {
    if (answer.status == 200) {
        sent_bytes_ = 0;
        if (state_ == State::closing && queue_.empty()) finish(std::move(closed_));
    } else if (answer.status == 410) {
        end(session_gone, "session_gone", ended_with(session_gone, "the long-poll session is gone"));
    } else {
        end(internal_error, internal_error_text, unexpected(answer.status));
    }
}

void LongPollMachine::refuse(const HttpResponse& response, std::string body) {
    const int status = response.status;
    const bool is_auth = status == 401 || status == 403;
    const Errc code =
        is_auth ? Errc::bad_auth : (state_ == State::opening ? Errc::upgrade_refused : Errc::server_closed);
    Error error =
        error_of(code, "the server refused the long poll with HTTP " + std::to_string(status) +
                           (is_auth ? "; check token, params and rights"
                                    : "; check the path of the URL, and that the server offers it"));
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = status;
    detail->http_headers = response.headers;
    body.resize(std::min(body.size(), max_detail_bytes));
    detail->http_body = std::move(body);
    error.detail = std::move(detail);
    CloseInfo info{.code = is_auth ? forbidden : internal_error,
                   .reason = is_auth ? "forbidden" : internal_error_text,
                   .error = std::move(error)};
    info.retry_after = parse_retry_after(response.header("retry-after"), response.header("date"));
    if (state_ == State::closing) info = std::move(closed_);
    finish(std::move(info));
}

void LongPollMachine::handle_failure(TimePoint now, Lane lane, CloseInfo info) {
    now_ = now;
    if (!deadline(lane)) return;
    if (state_ == State::closing) return finish(std::move(closed_));
    info.code = internal_error;
    info.reason = internal_error_text;
    finish(std::move(info));
}

void LongPollMachine::handle_timeout(TimePoint now) {
    now_ = now;
    auto is_over = [now](const std::optional<TimePoint>& deadline) { return deadline && *deadline <= now; };
    if (is_over(poll_deadline_) || is_over(push_deadline_) || is_over(close_deadline_)) {
        end(no_code, "timeout",
            error_of(Errc::timeout, "the server did not answer a request of the long poll in time",
                     Origin::transport));
    }
}

std::optional<TimePoint> LongPollMachine::next_timeout() const {
    TimePoint next = TimePoint::max();
    for (const auto& due : {poll_deadline_, push_deadline_, close_deadline_}) {
        next = std::min(next, due.value_or(next));
    }
    return next == TimePoint::max() ? std::nullopt : std::optional(next);
}

/// While closing it is too late for reasons: the session ends as it was asked to.
void LongPollMachine::end(std::uint16_t code, std::string_view reason, std::optional<Error> error) {
    if (state_ == State::closing) return finish(std::move(closed_));
    finish(CloseInfo{.code = code, .reason = std::string(reason), .error = std::move(error)});
}

void LongPollMachine::finish(CloseInfo info) {
    state_ = State::closed;
    closed_ = std::move(info);
    is_closed_due_ = true;
    is_open_due_ = is_drop_due_ = false;
    poll_deadline_ = push_deadline_ = close_deadline_ = std::nullopt;
    messages_.stop();
    queue_.clear();
    queued_bytes_ = sent_bytes_ = 0;
}

// ---- what goes

std::optional<LongPollReport> LongPollMachine::poll() {
    if (std::exchange(is_open_due_, false)) return long_poll::Opened{};
    if (const auto message = messages_.next()) {
        if (message->size() <= config_.max_message_bytes) return long_poll::Message{*message};
        end(too_large, "message too large",
            error_of(Errc::frame_too_large, "a message of the long poll has " +
                                                std::to_string(message->size()) +
                                                " bytes, more than SocketOptions::max_message_bytes"));
    }
    if (std::exchange(is_drop_due_, false)) return long_poll::Drop{Lane::poll};
    if (std::exchange(is_closed_due_, false)) return long_poll::Closed{std::move(closed_)};
    // Only when the messages are handled: who is slow is not sent more.
    const bool polls = state_ == State::opening || state_ == State::open;
    if (polls && !poll_deadline_) return poll_request();
    const bool pushes = state_ == State::open || state_ == State::closing;
    if (pushes && is_flushed_ && !push_deadline_ && !queue_.empty()) return push_request();
    return std::nullopt;
}

long_poll::Request LongPollMachine::request(Lane lane, const char* method) {
    deadline(lane) = after(now_, config_.timeout);
    long_poll::Request request{.lane = lane, .method = method, .target = config_.url.path};
    if (!config_.url.query.empty()) request.target += '?' + config_.url.query;
    if (!token_) return request;
    // The query for servers before 1.8.10, which know nothing else; the header for those from 1.9 on. Which
    // one answers does not show.
    request.target += (config_.url.query.empty() ? '?' : '&') + ("token=" + percent_encode(*token_));
    request.headers.emplace_back("X-Phoenix-Longpoll-Token", *token_);
    return request;
}

long_poll::Request LongPollMachine::poll_request() {
    messages_ = {};
    body_ = {};
    long_poll::Request poll = request(Lane::poll, "GET");
    poll.headers.emplace_back("Accept", "application/json");
    if (!config_.auth_token.empty()) poll.headers.emplace_back("X-Phoenix-AuthToken", config_.auth_token);
    return poll;
}

long_poll::Request LongPollMachine::push_request() {
    long_poll::Request push = request(Lane::push, "POST");
    const bool is_text = queue_.front().kind == Opcode::text;
    std::size_t count = 0;
    for (; !queue_.empty() && count < max_batch; ++count) {
        const std::string& line = queue_.front().text;
        if (count > 0 && push.body.size() + line.size() >= max_batch_bytes) break;
        if (count > 0) push.body += '\n';
        push.body += line;
        queued_bytes_ -= line.size();
        sent_bytes_ += line.size();
        queue_.pop_front();
    }
    if (queue_.empty()) is_flushed_ = false;
    // In a batch, lines that begin with '[' are text and all others base64 (Phoenix long_poll.ex).
    const bool is_json = is_text && count == 1;
    push.headers.emplace_back("Content-Type", is_json ? "application/json" : "application/x-ndjson");
    return push;
}

} // namespace phx::protocol
