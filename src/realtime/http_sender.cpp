#include "src/realtime/http_sender.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/wire/http_fields.hpp"
#include "src/client/duration.hpp"
#include "src/client/socket_core.hpp"

#include <algorithm>
#include <cassert>

namespace phx::shell {
namespace {

constexpr std::size_t max_body_bytes = 64u << 10; // of an answer; the rest is not read

std::size_t size_of(const HttpSender::Request& request) {
    std::size_t bytes = request.target.size() + request.content_type.size() + request.body.size();
    for (const auto& [name, value] : request.headers) bytes += name.size() + value.size();
    return bytes;
}

/// A server may repeat what it refuses.
void hide_secrets(std::string& body, const HttpSender::Headers& headers) {
    constexpr std::size_t least_bytes = 8; // what is shorter is no secret, and in many a word
    for (const auto& header : headers) {
        const std::string secret = header.second.substr(header.second.rfind(' ') + 1); // "Bearer ..."
        if (secret.size() < least_bytes) continue;
        for (std::size_t at = 0; (at = body.find(secret, at)) != body.npos;)
            body.replace(at, secret.size(), "***");
    }
}

std::optional<Error> check_headers(const HttpSender::Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (protocol::is_field_value(value)) continue;
        return fail(Errc::invalid_argument, "the value of the header " + name + " has control characters")
            .error;
    }
    return {};
}

Error cancelled_error() { return fail(Errc::cancelled, "cancelled by this program").error; }

} // namespace

HttpSender::Lane::Lane(HttpSender& sender)
    : client(sender.loop_, sender, sender.target_, max_body_bytes, HttpClient::PartialBody::is_taken) {}

HttpSender::HttpSender(LoopCore& loop, ConnectionTarget target, Limits limits, Credentials credentials)
    : loop_(loop), target_(std::move(target)), limits_(limits), credentials_(std::move(credentials)),
      timer_(loop, [this] { handle_timeout(); }) {}

HttpSender::~HttpSender() { close(); }

// ---- from the program

void HttpSender::send(Request request, Millis timeout, PushPtr push) {
    assert(loop_.on_loop_thread());
    if (is_closed_) return finish_soon(std::move(push), {}, SocketCore::closed_error());
    if (auto error = check_headers(request.headers))
        return finish_soon(std::move(push), {}, std::move(error));
    const std::size_t bytes = size_of(request);
    if (jobs_ >= limits_.max_requests || bytes > limits_.max_bytes - bytes_) {
        return finish_soon(std::move(push), {},
                           fail(Errc::buffer_full, std::to_string(jobs_) + " HTTP broadcasts of " +
                                                       std::to_string(bytes_) +
                                                       " bytes wait for their answers; send more slowly")
                               .error);
    }
    ++jobs_;
    bytes_ += bytes;
    const TimePoint now = loop_.now(), deadline = protocol::after(now, in_core(timeout));
    waiting_.push_back({std::move(request), std::move(push), now, deadline, bytes, !credentials_});
    wake_at(deadline);
    if (!credentials_) return start_waiting();
    credentials_([this](const Result<Headers>& headers) { give_credentials(headers); });
}

/// To all that wait for them: they are as new as can be.
void HttpSender::give_credentials(const Result<Headers>& headers) {
    if (std::all_of(waiting_.begin(), waiting_.end(), [](const Job& job) { return job.has_credentials; }))
        return;
    for (Job& job : std::exchange(waiting_, {})) {
        if (!std::exchange(job.has_credentials, true)) {
            if (auto error = headers ? check_headers(*headers) : headers.error()) {
                finish(std::move(job), {}, std::move(error));
                continue;
            }
            job.request.headers.insert(job.request.headers.end(), headers->begin(), headers->end());
        }
        waiting_.push_back(std::move(job));
    }
    start_waiting();
}

void HttpSender::cancel(const PushState& push) {
    for (Lane& lane : lanes_) {
        if (!lane.job || lane.job->push.get() != &push) continue;
        lane.client.cancel();
        finish(take_job(lane), {}, cancelled_error());
        return start_waiting();
    }
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Job& job) { return job.push.get() == &push; });
    if (found == waiting_.end()) return;
    finish(std::move(*found), {}, cancelled_error());
    waiting_.erase(found);
}

void HttpSender::close() {
    if (std::exchange(is_closed_, true)) return;
    timer_.arm({});
    for (Lane& lane : lanes_) {
        lane.client.cancel();
        if (lane.job) finish(take_job(lane), {}, SocketCore::closed_error());
    }
    for (Job& job : std::exchange(waiting_, {})) finish(std::move(job), {}, SocketCore::closed_error());
}

// ---- to the server

/// One that has a connection, if there is one.
HttpSender::Lane* HttpSender::free_lane() {
    Lane* free = nullptr;
    for (Lane& lane : lanes_) {
        if (lane.job) continue;
        if (lane.idle_until) return &lane;
        if (!free) free = &lane;
    }
    if (!free && lanes_.size() < limits_.max_connections) free = &lanes_.emplace_back(*this);
    return free;
}

void HttpSender::start_waiting() {
    while (!waiting_.empty()) {
        const bool is_wanted = !waiting_.front().push->is_cancelled;
        if (is_wanted && !waiting_.front().has_credentials) return;
        Lane* const lane = is_wanted ? free_lane() : nullptr;
        if (is_wanted && !lane) return;
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        if (lane) {
            start(*lane, std::move(job));
        } else {
            finish(std::move(job), {}, {});
        }
    }
}

void HttpSender::start(Lane& lane, Job job) {
    HttpCall request{.method = "POST",
                     .target = target_.url.path + job.request.target,
                     .headers = job.request.headers,
                     .body = std::move(job.request.body)};
    request.headers.emplace_back("Content-Type", std::move(job.request.content_type));
    request.headers.emplace_back("Accept", "application/json");
    lane.idle_until.reset();
    lane.job = std::move(job);
    lane.client.send(request);
}

// ---- from the server

HttpSender::Lane& HttpSender::lane_of(const HttpClient& client) {
    return *std::find_if(lanes_.begin(), lanes_.end(),
                         [&](const Lane& lane) { return &lane.client == &client; });
}

void HttpSender::http_answered(HttpClient& client, const protocol::HttpResponse& response, std::string body) {
    Lane& lane = lane_of(client);
    Job job = take_job(lane);
    const TimePoint now = loop_.now();
    lane.idle_until = now + limits_.max_idle;
    wake_at(*lane.idle_until);
    if (response.status / 100 != 2) hide_secrets(body, job.request.headers);
    const auto outcome = protocol::realtime::outcome_of_broadcast(job.request.endpoint, response, body);
    if (!outcome) {
        finish(std::move(job), {}, outcome.error());
    } else {
        if (!protocol::validate_json(body)) body.clear(); // a response is JSON text
        const auto elapsed = std::chrono::duration_cast<Micros>(now - job.since);
        finish(std::move(job), Reply("ok", protocol::Opcode::text, std::move(body), elapsed), {});
    }
    start_waiting();
}

void HttpSender::http_failed(HttpClient& client, LinkEnd end) {
    assert(end.error);
    finish(take_job(lane_of(client)), {}, std::move(end.error));
    start_waiting();
}

// ---- time

void HttpSender::wake_at(TimePoint when) {
    if (when >= wakes_at_) return;
    wakes_at_ = when;
    timer_.arm(when);
}

void HttpSender::handle_timeout() {
    const TimePoint now = loop_.now();
    wakes_at_ = TimePoint::max();
    for (Lane& lane : lanes_) {
        if (lane.job && lane.job->deadline <= now) {
            lane.client.cancel();
            finish(
                take_job(lane), {},
                fail(Errc::timeout, "no answer to an HTTP broadcast; the server may still have acted").error);
        } else if (lane.idle_until && *lane.idle_until <= now) {
            lane.client.cancel();
            lane.idle_until.reset();
        }
    }
    for (Job& job : std::exchange(waiting_, {})) {
        if (job.deadline > now) {
            waiting_.push_back(std::move(job));
        } else {
            const char* const why = job.has_credentials ? "those before it were not answered in time"
                                                        : "the provider of tokens did not answer in time";
            finish(std::move(job), {},
                   fail(Errc::timeout, std::string("an HTTP broadcast was not sent: ") + why).error);
        }
    }
    start_waiting();
    for (const Lane& lane : lanes_) {
        if (lane.job) wake_at(lane.job->deadline);
        if (lane.idle_until) wake_at(*lane.idle_until);
    }
    for (const Job& job : waiting_) wake_at(job.deadline);
}

// ---- the end of a request

HttpSender::Job HttpSender::take_job(Lane& lane) {
    Job job = std::move(*lane.job);
    lane.job.reset();
    return job;
}

void HttpSender::finish(Job job, Reply reply, std::optional<Error> error) {
    --jobs_;
    bytes_ -= job.bytes;
    finish_soon(std::move(job.push), std::move(reply), std::move(error));
}

/// Later: what the program does then may end the sender, and with it the connection that is being read.
void HttpSender::finish_soon(PushPtr push, Reply reply, std::optional<Error> error) {
    if (push->is_cancelled) {
        reply = {};
        error = cancelled_error();
    }
    loop_.post(
        [pending = PendingPush(std::move(push)), reply = std::move(reply),
         error = std::move(error)]() mutable { pending.take()->finish(std::move(reply), std::move(error)); });
}

} // namespace phx::shell
