#include "src/net/http_client.hpp"

#include "phx/version.hpp"
#include "protocol/wire/http_fields.hpp"
#include "src/net/http_refusal.hpp"

#include <algorithm>
#include <cassert>

namespace phx::shell {

HttpClient::HttpClient(LoopCore& loop, Listener& listener, ConnectionTarget target,
                       std::size_t max_body_bytes, PartialBody partial_body)
    : loop_(loop), listener_(listener), target_(std::move(target)), max_body_bytes_(max_body_bytes),
      partial_body_(partial_body) {}

void HttpClient::send(const HttpCall& request) {
    assert(!is_waiting_);
    is_waiting_ = true;
    bytes_ = bytes_of(request);
    reader_ = {};
    body_.reset();
    const bool is_kept = link_ && link_->is_open();
    // The server may have closed a kept connection in the same moment. Only what does nothing twice is then
    // sent again (RFC 9110 section 9.2.2).
    is_repeatable_ = is_kept && request.method == "GET";
    if (is_kept) {
        link_->say(bytes_);
    } else {
        connect();
    }
}

std::string HttpClient::bytes_of(const HttpCall& request) const {
    auto is_ours = [&](const std::string& name) {
        return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
            return protocol::equals_ignoring_case(header.first, name);
        });
    };
    std::string bytes = std::string(request.method) + ' ' + request.target + " HTTP/1.1\r\n";
    if (!target_.has_header("Host")) bytes += "Host: " + target_.url.host_header() + "\r\n";
    if (!target_.has_header("User-Agent")) bytes += "User-Agent: phx/" PHX_VERSION_STRING "\r\n";
    for (const auto& [name, value] : request.headers) protocol::append_field(bytes, name, value);
    for (const auto& [name, value] : target_.headers) {
        if (!is_ours(name)) protocol::append_field(bytes, name, value);
    }
    if (request.method != "GET") bytes += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    return bytes + "\r\n" + request.body;
}

void HttpClient::connect() {
    drop_link();
    ClientLink::Listener& listener = *this;
    link_ = std::make_unique<ClientLink>(loop_, listener, target_);
    link_->open();
}

void HttpClient::cancel() {
    is_waiting_ = false;
    drop_link();
}

void HttpClient::drop_link() {
    if (!link_) return;
    link_->drop();
    // Its method may be running.
    loop_.post([link = std::move(link_)] {});
}

void HttpClient::link_received(std::span<char> bytes) {
    using Status = protocol::HttpResponseReader::Status;
    if (!is_waiting_) return drop_link(); // what nobody asked for
    is_repeatable_ = false;
    if (!body_) {
        const auto fed = reader_.feed({bytes.data(), bytes.size()});
        if (fed.status == Status::incomplete) return;
        if (fed.status != Status::complete) {
            return fail_with({unreadable_error(target_.place(), fed.status,
                                               "; check that it is the server's port, and http against https",
                                               Origin::peer)});
        }
        response_ = std::move(reader_.response());
        body_.emplace(response_, max_body_bytes_ + 1);
        bytes = bytes.subspan(fed.taken);
    }
    body_->feed({bytes.data(), bytes.size()});
    if (body_->is_over()) handle_answered();
}

void HttpClient::handle_answered() {
    const bool takes_part = partial_body_ == PartialBody::is_taken;
    std::string text = std::move(body_->text());
    if (text.size() > max_body_bytes_ && !takes_part) {
        return fail_with(
            fail(Errc::frame_too_large,
                 target_.place() + " answered with more than " + std::to_string(max_body_bytes_) + " bytes",
                 Origin::peer));
    }
    if (!body_->is_whole() && !takes_part) {
        return fail_with(
            fail(Errc::malformed_frame, target_.place() + " answered with a broken body", Origin::peer));
    }
    text.resize(std::min(text.size(), max_body_bytes_));
    const bool is_upgraded = response_.status == 101; // to what nobody knows
    // An early answer: whether the server reads the rest of the request is its secret.
    const bool is_early = link_ && !link_->has_said_all();
    if (is_upgraded || is_early || !response_.keeps_alive() || !body_->ends_cleanly()) drop_link();
    is_waiting_ = false;
    bytes_ = {};
    body_.reset();
    listener_.http_answered(*this, std::exchange(response_, {}), std::move(text));
}

void HttpClient::link_ended(LinkEnd how) {
    link_.reset();
    if (!is_waiting_) return;
    if (std::exchange(is_repeatable_, false)) return connect();
    if (body_) {
        body_->handle_end();
        return handle_answered();
    }
    if (!how.error) {
        how.error = fail(Errc::disconnected, target_.place() + " closed the connection before it answered",
                         Origin::peer)
                        .error;
    }
    is_waiting_ = false;
    listener_.http_failed(*this, std::move(how));
}

void HttpClient::fail_with(Failure why) {
    is_waiting_ = false;
    drop_link();
    listener_.http_failed(*this, {.error = std::move(why.error)});
}

} // namespace phx::shell
