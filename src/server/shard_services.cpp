#include "src/server/metrics.hpp"
#include "src/server/shard.hpp"

// The HTTP API.
namespace phx::shell {

void Shard::serve(const ServiceRequest& wanted, const std::shared_ptr<HttpExchange>& exchange) {
    switch (wanted.service) {
    case Service::ready: return exchange->answer(HttpAnswer::json(200, R"({"status":"ok"})"));
    case Service::metrics: {
        HttpAnswer answer = HttpAnswer::text(200, metrics_text(counters_->read()));
        answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
        return exchange->answer(answer);
    }
    default: return exchange->answer(HttpAnswer::error(501, "not implemented"));
    }
}

} // namespace phx::shell
