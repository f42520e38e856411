#include "tests/support/long_poll_server.hpp"

#include <algorithm>
#include <poll.h>
#include <sstream>
#include <stdexcept>

namespace phx::test {
namespace {

constexpr int deadline_ms = 60'000;

} // namespace

std::string LongPollRequest::target() const {
    const std::size_t begin = head.find(' ') + 1;
    return head.substr(begin, head.find(' ', begin) - begin);
}

std::vector<PhxFrame> LongPollRequest::frames() const {
    std::vector<PhxFrame> frames;
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);) {
        const json array = json::parse(line);
        frames.push_back({array.at(0), array.at(1), array.at(2), array.at(3), array.at(4)});
    }
    return frames;
}

LongPollRequest LongPollServer::next(std::string_view method) {
    for (;;) {
        const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                        [&](const LongPollRequest& request) { return request.is(method); });
        if (found != waiting_.end()) {
            LongPollRequest request = std::move(*found);
            waiting_.erase(found);
            return request;
        }
        std::vector<pollfd> sockets{{server_.fd(), POLLIN, 0}};
        std::vector<Peer*> peers;
        for (Peer& peer : peers_) {
            if (peer.fd() < 0) continue;
            sockets.push_back({peer.fd(), POLLIN, 0});
            peers.push_back(&peer);
        }
        if (::poll(sockets.data(), sockets.size(), deadline_ms) <= 0) {
            throw std::runtime_error("long poll server: no " + std::string(method) + " came");
        }
        if (sockets[0].revents != 0) {
            peers_.push_back(server_.accept());
            ++accepted_;
        }
        for (std::size_t i = 0; i < peers.size(); ++i) {
            if (sockets[i + 1].revents == 0) continue;
            auto head = peers[i]->try_read_request();
            if (!head) {
                peers[i]->close();
                continue;
            }
            LongPollRequest request{peers[i], std::move(*head), {}};
            const std::string length = request.header("Content-Length");
            if (!length.empty()) request.body = peers[i]->read_exactly(std::stoul(length));
            waiting_.push_back(std::move(request));
        }
    }
}

std::string LongPollServer::response(const json& body, std::string_view extra_headers) {
    const std::string text = body.dump();
    return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
           std::to_string(text.size()) + "\r\n" + std::string(extra_headers) + "\r\n" + text;
}

void LongPollServer::answer(const LongPollRequest& request, const json& body) {
    request.peer->write(response(body));
}

LongPollRequest LongPollServer::open_session(const std::string& token) {
    LongPollRequest request = next("GET");
    answer(request, {{"status", 410}, {"token", token}, {"messages", json::array()}});
    return request;
}

LongPollRequest LongPollServer::take_push() {
    LongPollRequest request = next("POST");
    answer(request, {{"status", 200}});
    return request;
}

void LongPollServer::deliver(const std::vector<json>& frames) {
    json messages = json::array();
    for (const json& frame : frames) messages.push_back(frame.dump());
    answer(next("GET"), {{"status", 200}, {"token", "T"}, {"messages", messages}});
}

PhxFrame LongPollServer::accept_join(const json& response) {
    const LongPollRequest request = take_push();
    PhxFrame join = request.frames().at(0);
    if (join.event != "phx_join")
        throw std::runtime_error("long poll server: expected phx_join, got " + join.event);
    reply(join, "ok", response);
    return join;
}

} // namespace phx::test
