#include "src/server/status_channel.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/version.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace phx::shell {

extern const char* const status_page_html; // generated from page/status.html

namespace {

using phx::server::Actions;
using phx::server::Context;
using phx::server::JoinAnswer;
using phx::server::PayloadView;
using phx::server::TopicCount;

constexpr std::chrono::seconds period{1};
constexpr std::size_t shown_topics = 12;

void append_number(std::string& json, std::string_view name, std::uint64_t number) {
    json.append(json.ends_with('{') ? "\"" : ",\"").append(name).append("\":").append(std::to_string(number));
}

std::string json_of(StatusReport report) {
    std::string json = "{";
    append_number(json, "connections", report.stats.connections);
    append_number(json, "topics", report.stats.topics);
    append_number(json, "channels", report.stats.channels);
    append_number(json, "frames_in", report.stats.frames_in);
    append_number(json, "frames_out", report.stats.frames_out);
    append_number(json, "frames_dropped", report.stats.frames_dropped);
    append_number(json, "slow_consumers", report.stats.slow_consumers);
    append_number(json, "uptime_ms", static_cast<std::uint64_t>(report.uptime.count()));
    const auto more = [](const TopicCount& a, const TopicCount& b) {
        return a.members != b.members ? a.members > b.members : a.name < b.name;
    };
    std::sort(report.topics.begin(), report.topics.end(), more);
    json += ",\"top_topics\":[";
    for (std::size_t i = 0; i < std::min(shown_topics, report.topics.size()); ++i) {
        json += i > 0 ? ",{\"topic\":" : "{\"topic\":";
        protocol::append_json_string(json, report.topics[i].name);
        json += ",\"members\":" + std::to_string(report.topics[i].members) + '}';
    }
    return json + "]}";
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const std::size_t at = text.find(what);
    if (at != std::string::npos) text.replace(at, what.size(), with);
    return text;
}

} // namespace

phx::server::Handlers status_channel(std::function<bool(const phx::server::Connection&)> may_watch,
                                     std::function<StatusReport()> report) {
    const auto tell = [report = std::move(report)] {
        return Actions().push("status", json_of(report())).after(period, "tell");
    };
    phx::server::Handlers handlers;
    handlers.join = [may_watch = std::move(may_watch)](const Context& context, PayloadView) {
        if (!may_watch(context.connection)) return JoinAnswer::refuse(R"({"reason":"unauthorized"})");
        JoinAnswer answer = JoinAnswer::ok();
        answer.then.after(std::chrono::seconds(0), "tell"); // when it is a member
        return answer;
    };
    handlers.handle_in = [](const Context&, std::string_view, PayloadView) {
        return Actions().error(R"({"reason":"read only"})");
    };
    handlers.handle_info = [tell](const Context&, std::string_view) { return tell(); };
    return handlers;
}

std::string status_page(std::string_view socket_path) {
    return replaced(replaced(status_page_html, "@SOCKET@", socket_path), "@VERSION@", PHX_VERSION_STRING);
}

} // namespace phx::shell
