#include "src/net/http_post.hpp"

#include "protocol/wire/http_fields.hpp"
#include "src/client/duration.hpp"
#include "src/loop/loop_core.hpp"
#include "src/net/http_client.hpp"

#include <memory>
#include <utility>

namespace phx::shell {
namespace {

constexpr std::size_t max_body_bytes = 64u << 10;

using Done = Function<void(Result<HttpReply>)>;

/// One request. Loop thread only; the loop owns it until it has its answer.
class HttpPost final : public LoopMember, private HttpClient::Listener {
public:
    HttpPost(LoopCore& loop, const ConnectionTarget& target, Done done)
        : loop_(loop), client_(loop, *this, target, max_body_bytes, HttpClient::PartialBody::is_taken),
          timer_(loop, [this] { handle_timeout(); }), done_(std::move(done)) {}

    void start(const HttpCall& request, Millis timeout) {
        if (is_finished_) return; // the loop ends
        timer_.arm(protocol::after(loop_.now(), in_core(timeout)));
        client_.send(request);
    }
    void loop_stopping() override {
        finish(fail(Errc::socket_closed, "the loop ended before the server answered"));
    }

private:
    void http_answered(HttpClient&, const protocol::HttpResponse& response, std::string body) override {
        finish(HttpReply{response.status, std::move(body)});
    }
    void http_failed(HttpClient&, LinkEnd end) override { finish(Failure{std::move(*end.error)}); }
    void handle_timeout() {
        finish(fail(Errc::timeout, "no answer to an HTTP request; the server may still have acted"));
    }
    void finish(Result<HttpReply> result) {
        if (is_finished_) return;
        is_finished_ = true;
        client_.cancel();
        loop_.remove_member(*this);
        done_(std::move(result));
    }

    LoopCore& loop_;
    HttpClient client_;
    LoopTimer timer_;
    Done done_;
    bool is_finished_ = false;
};

} // namespace

void http_post(Loop& loop, ConnectionTarget target, std::string json, Millis timeout, Done done) {
    for (const auto& [name, value] : target.headers) {
        if (protocol::is_field_value(value)) continue;
        return done(
            fail(Errc::invalid_argument, "the value of the header " + name + " has control characters"));
    }
    HttpCall request{.method = "POST", .target = target.url.path, .body = std::move(json)};
    if (!target.url.query.empty()) request.target += '?' + target.url.query;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    const auto& core = loop.core();
    core->post([core, target = std::move(target), request = std::move(request), timeout,
                done = std::move(done)]() mutable {
        const auto post = std::make_shared<HttpPost>(*core, target, std::move(done));
        core->add_member(post);
        post->start(request, timeout);
    });
}

} // namespace phx::shell
