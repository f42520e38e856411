#pragma once

#include "tests/support/ws_client.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

/// A client of long poll by hand: one connection for its polls, one for its posts.
class Poller {
public:
    explicit Poller(std::uint16_t port, std::string path = "/socket/longpoll?vsn=2.0.0")
        : port_(port), path_(std::move(path)), polls_(port) {}

    void start_poll() { polls_->send(head("GET") + "host: a\r\n\r\n"); }
    nlohmann::json finish_poll() {
        const HttpResponse answer = read_response(*polls_, rest_);
        EXPECT_EQ(answer.status, 200);
        const nlohmann::json body = nlohmann::json::parse(answer.body);
        if (body.contains("token")) token_ = body["token"];
        return body;
    }
    nlohmann::json poll() {
        start_poll();
        return finish_poll();
    }
    nlohmann::json post(const std::string& body, const std::string& type = "application/json") {
        const HttpResponse answer = request(port_,
                                            head("POST") + "content-type: " + type +
                                                "\r\ncontent-length: " + std::to_string(body.size()),
                                            body);
        EXPECT_EQ(answer.status, 200);
        return nlohmann::json::parse(answer.body);
    }
    /// Opens a session and joins a topic.
    void join(const std::string& topic) {
        EXPECT_EQ(poll()["status"], 410);
        EXPECT_EQ(post(nlohmann::json::array({"1", "1", topic, "phx_join", nlohmann::json::object()})
                           .dump())["status"],
                  200);
        EXPECT_EQ(messages(poll()).at(0)[4]["status"], "ok");
    }
    static std::vector<nlohmann::json> messages(const nlohmann::json& answer) {
        std::vector<nlohmann::json> list;
        for (const nlohmann::json& text : answer["messages"])
            list.push_back(nlohmann::json::parse(text.get<std::string>()));
        return list;
    }
    std::string token() const { return token_; }
    void set_token(std::string token) { token_ = std::move(token); }
    void lose_poll() { polls_.emplace(port_); }

private:
    /// Without a host, and without the empty line at the end.
    std::string head(const std::string& method) const {
        std::string text = method + ' ' + path_ + " HTTP/1.1\r\n";
        if (!token_.empty()) text += "x-phoenix-longpoll-token: " + token_ + "\r\n";
        return text;
    }

    std::uint16_t port_;
    std::string path_;
    std::optional<TcpClient> polls_;
    std::string rest_;
    std::string token_;
};

} // namespace phx::test
