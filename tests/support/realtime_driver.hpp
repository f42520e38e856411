#pragma once

#include "tests/support/server_driver.hpp"

#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

/// Peers of the built-in `realtime:*` over v2, whose every frame to topic T is about `realtime:T`.
struct RealtimeDriver : ServerDriver {
    explicit RealtimeDriver(server::ServerConfig config = {}) : ServerDriver(std::move(config)) {}

    /// Everybody may do everything.
    static phx::server::Policy open_policy(std::string topic = "realtime:*") {
        using phx::server::Requirement;
        return {.topic = std::move(topic),
                .join = Requirement{},
                .write = Requirement{},
                .presence = Requirement{}};
    }
    static server::SessionConfig session(std::string user_id, std::vector<std::string> roles = {}) {
        server::SessionConfig config;
        config.dialect = server::Dialect::supabase;
        config.record.user_id = std::move(user_id);
        config.record.roles = std::move(roles);
        return config;
    }

    /// `rest`: what follows the config in the payload, such as `,"access_token":"t"`.
    std::vector<std::string> join(const std::string& peer, const std::string& topic,
                                  const std::string& config = "{}", const std::string& rest = {}) {
        text(peer, R"(["1","1","realtime:)" + topic + R"(","phx_join",{"config":)" + config + rest + "}]");
        return masked();
    }
    std::vector<std::string> push(const std::string& peer, const std::string& topic, const std::string& event,
                                  const std::string& payload) {
        text(peer, R"(["1","2","realtime:)" + topic + R"(",")" + event + R"(",)" + payload + "]");
        return masked();
    }
    /// The lines without what differs from seed to seed.
    std::vector<std::string> masked() {
        std::vector<std::string> result = lines();
        for (std::string& line : result) {
            line = std::regex_replace(line, std::regex("\"phx_ref(_prev)?\":\"[A-Za-z0-9_-]{16}\""),
                                      "\"phx_ref$1\":R");
            line = std::regex_replace(line, std::regex("\"[0-9a-f]{8}-[0-9a-f-]{27}\""), "UUID");
        }
        return result;
    }

    static std::string joined(const std::string& peer, const std::string& topic) {
        return peer + R"( < ["1","1","realtime:)" + topic +
               R"(","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])";
    }
    static std::string refused(const std::string& peer, const std::string& topic, const std::string& reason) {
        return peer + R"( < ["1","1","realtime:)" + topic +
               R"(","phx_reply",{"status":"error","response":{"reason":")" + reason + R"("}}])";
    }
    static std::string replied(const std::string& peer, const std::string& topic, const std::string& status,
                               const std::string& response = "{}") {
        return peer + R"( < ["1","2","realtime:)" + topic + R"(","phx_reply",{"status":")" + status +
               R"(","response":)" + response + "}]";
    }
    static std::string system(const std::string& peer, const std::string& topic, const std::string& message) {
        return peer + R"( < ["1",null,"realtime:)" + topic + R"(","system",{"message":")" + message +
               R"(","status":"error","extension":"system","channel":")" + topic + R"("}])";
    }
    static std::string closed(const std::string& peer, const std::string& topic) {
        return peer + R"( < ["1","1","realtime:)" + topic + R"(","phx_close",{}])";
    }
    static std::string copy(const std::string& peers, const std::string& topic, const std::string& event,
                            const std::string& payload) {
        return peers + R"( < [null,null,"realtime:)" + topic + R"(",")" + event + R"(",)" + payload + "]";
    }
};

} // namespace phx::test
