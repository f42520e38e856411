#include "tests/conformance/peer.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace phx::conformance {

using nlohmann::json;
using protocol::FrameOpcode;

namespace {

json event_of(const Received& received) {
    switch (received.kind) {
    case Received::Kind::text: {
        json value = json::parse(received.payload, nullptr, false);
        return value.is_discarded() ? json{{"no json", received.payload}} : json{{"text", std::move(value)}};
    }
    case Received::Kind::binary: return {{"binary", to_hex(received.payload)}};
    case Received::Kind::ping: return {{"ping", to_hex(received.payload)}};
    case Received::Kind::pong: return {{"pong", to_hex(received.payload)}};
    case Received::Kind::close: return {{"close", received.code}, {"reason", received.payload}};
    case Received::Kind::broken: return {{"broken frame", received.payload}};
    case Received::Kind::late: return {{"nothing", "no answer in time"}};
    case Received::Kind::ended: break;
    }
    return {{"close", 1006}, {"reason", ""}};
}

json event_of_upgrade(const test::HttpResponse& response) {
    if (response.status != 101)
        return http_event("refused", response.status, response.headers, response.body);
    json event = {{"upgrade", 101}};
    for (const char* name : chosen_by_upgrade) {
        const std::string chosen = response.header(name);
        if (!chosen.empty()) event[name] = chosen;
    }
    return event;
}

AskedBy asked_by(const HttpHeaders& headers) {
    const bool is_page = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
        return protocol::equals_ignoring_case(header.first, "origin");
    });
    return is_page ? AskedBy::page : AskedBy::program;
}

} // namespace

HttpHeaders headers_of(const Step& step) {
    const json recorded = step.line.value("headers", json::object());
    HttpHeaders headers;
    for (const auto& [name, value] : recorded.items())
        headers.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    return headers;
}

std::string target_of(const std::string& url) {
    const std::size_t host = url.find("://") + 3;
    return url.substr(url.find('/', host));
}

void Peer::connect(std::uint16_t port, std::string_view target, HttpHeaders headers) {
    raw_ = std::make_unique<RawConnection>(port);
    is_v2_ = target.find("vsn=2") != std::string_view::npos;
    asked_by_ = conformance::asked_by(headers);
    const test::HttpResponse response = raw_->upgrade(target, std::move(headers));
    end_ = response.status == 101 ? End::open : End::by_server;
    events_.push_back(event_of_upgrade(response));
}

void Peer::request(std::uint16_t port, std::string_view method, std::string_view target,
                   const HttpHeaders& headers, std::string_view body) {
    raw_ = std::make_unique<RawConnection>(port);
    asked_by_ = conformance::asked_by(headers);
    const test::HttpResponse response = raw_->request(method, target, headers, body);
    end_ = End::by_server;
    events_.push_back(http_event("response", response.status, response.headers, response.body));
}

void Peer::send(const Step& step, std::string_view payload) {
    if (step.kind == "close") {
        std::optional<std::uint16_t> code;
        const json recorded = step.line.value("code", json());
        if (recorded.is_number()) code = recorded.get<std::uint16_t>();
        raw_->send_close(code, step.line.value("reason", ""));
        end_ = End::by_client;
    } else if (step.kind == "fragment") {
        const bool is_last = step.line.at("fin").get<bool>();
        raw_->send_frame(in_fragments_ ? FrameOpcode::continuation : FrameOpcode::text, payload,
                         is_last ? RawConnection::Fin::last : RawConnection::Fin::more);
        in_fragments_ = !is_last;
    } else {
        send_text_or_bytes(step, payload);
    }
}

void Peer::send_text_or_bytes(const Step& step, std::string_view payload) {
    const std::string opcode = step.line.at("opcode").get<std::string>();
    if (opcode == "ping") return raw_->send_frame(FrameOpcode::ping, payload);
    if (opcode == "binary") return raw_->send_frame(FrameOpcode::binary, payload);
    if (opcode != "text") throw std::runtime_error("cannot send a " + opcode);
    raw_->send_frame(FrameOpcode::text, payload);
}

void Peer::drop() {
    raw_->drop();
    end_ = End::by_client;
}

json Peer::next_event() {
    if (!events_.empty()) {
        json event = std::move(events_.front());
        events_.pop_front();
        return event;
    }
    if (end_ == End::by_server) return {{"nothing", "the server has closed the connection before"}};
    const Received received = raw_->receive();
    if (received.kind == Received::Kind::close) return closed(received);
    if (received.kind == Received::Kind::ended) end_ = End::by_server;
    return event_of(received);
}

json Peer::closed(const Received& close) {
    if (end_ == End::open)
        raw_->send_close(close.code == 1005 ? std::nullopt : std::optional(close.code), "");
    end_ = End::by_server;
    const Received end = raw_->receive();
    if (end.kind != Received::Kind::ended) return {{"close", close.code}, {"then", event_of(end)}};
    return event_of(close);
}

json Peer::ask(const json& frame) {
    raw_->send_frame(FrameOpcode::text, frame.dump());
    return next_event();
}

void Peer::flush(const std::string& name) {
    const std::string ref = "flush " + std::to_string(++flushes_);
    const json request =
        is_v2_
            ? json{nullptr, ref, "phoenix", "heartbeat", json::object()}
            : json{{"topic", "phoenix"}, {"event", "heartbeat"}, {"payload", json::object()}, {"ref", ref}};
    const json reply = {{"response", json::object()}, {"status", "ok"}};
    const json answer =
        is_v2_ ? json{nullptr, ref, "phoenix", "phx_reply", reply}
               : json{{"topic", "phoenix"}, {"event", "phx_reply"}, {"payload", reply}, {"ref", ref}};
    const json got = ask(request);
    if (got != json{{"text", answer}})
        throw std::runtime_error("connection " + name + ": more than was recorded: " + got.dump());
}

} // namespace phx::conformance
