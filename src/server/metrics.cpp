#include "src/server/metrics.hpp"

#include "phx/version.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace phx::shell {
namespace {

void append(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            std::uint64_t value) {
    const std::string full = "phx_" + std::string(name);
    out += "# HELP " + full + ' ' + std::string(help) + "\n# TYPE " + full + ' ' + std::string(type) + '\n' +
           full + ' ' + std::to_string(value) + '\n';
}

void append_limit_hits(std::string& out, const phx::server::LimitHits& hits) {
    out += "# HELP phx_limit_hits_total How often a limit refused, dropped or ended something, by the name "
           "of its setting; without a dot: a limit that is fixed.\n# TYPE phx_limit_hits_total counter\n";
    for (std::size_t i = 0; i < hits.size(); ++i) {
        out.append("phx_limit_hits_total{limit=\"").append(to_string(static_cast<phx::server::Limit>(i)));
        out += "\"} " + std::to_string(hits[i]) + '\n';
    }
}

} // namespace

std::string metrics_text(const phx::server::Stats& stats) {
    std::string out;
    out += "# HELP phx_build_info The version of this server.\n# TYPE phx_build_info gauge\n"
           "phx_build_info{version=\"" PHX_VERSION_STRING "\"} 1\n";
    append(out, "connections", "gauge", "Clients that are connected.", stats.connections);
    append(out, "topics", "gauge", "Topics that have members.", stats.topics);
    append(out, "channels", "gauge", "Channels that are joined, over all clients.", stats.channels);
    append(out, "frames_received_total", "counter", "Messages from clients.", stats.frames_in);
    append(out, "frames_sent_total", "counter", "Messages to clients, each copy of a broadcast.",
           stats.frames_out);
    append(out, "frames_malformed_total", "counter", "Messages from clients that could not be read.",
           stats.frames_dropped);
    append(out, "slow_consumers_total", "counter", "Clients that were closed because they read too slowly.",
           stats.slow_consumers);
    out += "# HELP phx_connections_refused_total Connections beyond max_connections (server) or "
           "max_connections_per_address (address).\n# TYPE phx_connections_refused_total counter\n"
           "phx_connections_refused_total{reason=\"server\"} " +
           std::to_string(stats.refused_for_server) + "\nphx_connections_refused_total{reason=\"address\"} " +
           std::to_string(stats.refused_for_address) + '\n';
    append(out, "late_responses_total", "counter",
           "Answers of clients to requests that were over, or that nobody had asked.", stats.late_responses);
    append(out, "timeouts_total", "counter",
           "Connections that were ended because their client took too long.", stats.timed_out);
    append_limit_hits(out, stats.limit_hits);
    append(out, "tokens_refused_total", "counter",
           "Tokens that were refused, or missing: of connects, channels and HTTP requests.",
           stats.refused_tokens);
    append(out, "handler_failures_total", "counter",
           "Exceptions that left handlers, effects, authorize and callbacks.", stats.handler_failures);
    return out;
}

} // namespace phx::shell
