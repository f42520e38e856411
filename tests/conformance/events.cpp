#include "tests/conformance/events.hpp"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace phx::conformance {

using nlohmann::json;
using server::Actions;
using server::Context;
using server::Payload;
using server::PayloadView;
using server::ReplyTo;
using server::StopReason;

namespace {

PayloadView bytes_of(PayloadView payload) {
    if (!payload.binary()) throw std::invalid_argument("no clause for a JSON payload");
    return payload;
}

std::string from_base64(std::string_view text) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text.substr(0, text.find('='))) {
        const std::size_t digit = alphabet.find(c);
        if (digit == std::string_view::npos) throw std::invalid_argument("not base64");
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        if ((count += 6) >= 8) bytes += static_cast<char>((bits >> (count -= 8)) & 0xff);
    }
    return bytes;
}

Payload decoded(PayloadView payload) {
    return Payload::binary(from_base64(json_of(payload).at("b64").get<std::string>()));
}

Actions burst(const Context&, PayloadView payload) {
    const json args = json_of(payload);
    const int n = args.at("n").get<int>();
    const std::string item = args.at("payload").dump();
    Actions actions;
    for (int i = 0; i < n; ++i) actions.push("burst_item", item);
    return actions.ok(json{{"n", n}}.dump());
}

Actions fail(const Context&, PayloadView payload) {
    return Actions().error(json{{"reason", "failed"}, {"echo", json_of(payload)}}.dump());
}

/// Handlers must not block, so both answer from handle_info.
Actions slow(const Context& context, PayloadView payload) {
    return Actions().after(milliseconds_of(json_of(payload)), std::to_string(context.reply_to.id));
}

Actions kick(const Context& context, PayloadView) {
    return Actions().disconnect(context.connection.socket_id);
}

Actions presence_update(const Context&, PayloadView payload) {
    const json args = json_of(payload);
    return Actions().ok().track(args.at("key").get<std::string>(), args.at("meta").dump());
}

Actions presence_untrack(const Context&, PayloadView payload) {
    return Actions().ok().untrack(json_of(payload).at("key").get<std::string>());
}

Actions which_ref(const Context& context, PayloadView) {
    return Actions().ok(json{{"join_ref", json::parse(context.join_ref)}}.dump());
}

Actions crash(const Context&, PayloadView) { throw std::runtime_error("handle_in raises"); }

using Handler = Actions (*)(const Context&, PayloadView);
using C = const Context&;
using P = PayloadView;

const std::unordered_map<std::string_view, Handler>& handlers() {
    static const std::unordered_map<std::string_view, Handler> table = {
        {"new_msg", [](C, P p) { return Actions().broadcast("new_msg", p); }},
        {"new_msg_ack", [](C, P p) { return Actions().broadcast("new_msg", p).ok(); }},
        {"new_msg_from", [](C, P p) { return Actions().broadcast_from("new_msg", p); }},
        {"intercepted", [](C, P p) { return Actions().broadcast("intercepted", p); }},
        {"burst", burst},
        {"echo", [](C, P p) { return Actions().ok(p); }},
        {"fail", fail},
        {"ok_empty", [](C, P) { return Actions().ok(); }},
        {"error_empty", [](C, P) { return Actions().error(); }},
        {"custom_status", [](C, P p) { return Actions().reply("custom", p); }},
        {"noreply", [](C, P) { return Actions(); }},
        {"push_me", [](C, P p) { return Actions().push("pushed", p); }},
        {"binary", [](C, P p) { return Actions().ok(bytes_of(p)); }},
        {"binary_fail", [](C, P p) { return Actions().error(bytes_of(p)); }},
        {"binary_bcast", [](C, P p) { return Actions().broadcast("binary_bcast", bytes_of(p)); }},
        {"binary_push", [](C, P p) { return Actions().push("binary_push", bytes_of(p)); }},
        {"binary_to_json",
         [](C, P p) {
             return Actions().ok(json{{"size", bytes_of(p).data.size()}}.dump());
         }},
        {"json_to_binary", [](C, P p) { return Actions().ok(decoded(p)); }},
        {"json_to_binary_bcast", [](C, P p) { return Actions().broadcast("binary_bcast", decoded(p)); }},
        {"crash", crash},
        {"stop", [](C, P p) { return Actions().ok(p).stop(); }},
        {"stop_noreply", [](C, P) { return Actions().stop(); }},
        {"stop_shutdown", [](C, P) { return Actions().stop(); }},
        {"stop_shutdown_tuple", [](C, P) { return Actions().stop(); }},
        {"stop_error", [](C, P) { return Actions().stop(StopReason::crash); }},
        {"slow", slow},
        {"slow_block", slow},
        {"kick", kick},
        {"presence_update", presence_update},
        {"presence_untrack", presence_untrack},
        {"presence_list", [](C, P) { return Actions().reply_presence(); }},
        {"which_ref", which_ref},
    };
    return table;
}

} // namespace

json json_of(PayloadView payload) {
    if (payload.binary()) throw std::invalid_argument("no clause for a binary payload");
    return json::parse(payload.data);
}

std::chrono::milliseconds milliseconds_of(const json& payload) {
    return std::chrono::milliseconds(payload.at("ms").get<std::int64_t>());
}

Actions handle_in(const Context& context, std::string_view event, PayloadView payload) {
    const auto found = handlers().find(event);
    if (found == handlers().end()) throw std::invalid_argument("no clause for this event");
    return found->second(context, payload);
}

Actions handle_out(const Context& context, std::string_view event, PayloadView payload) {
    json seen = json_of(payload);
    seen["seen_by"] = json::parse(context.connection.params).value("token", json());
    return Actions().push(event, seen.dump());
}

Actions handle_info(const Context&, std::string_view info) {
    return Actions().reply_to(ReplyTo{std::stoull(std::string(info))}, "ok", R"({"slow":true})");
}

} // namespace phx::conformance
