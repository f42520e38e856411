#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::conformance {

/// An HTTP answer as it is compared: {KIND: status, "body": ..., "headers": {...}}, KIND being "response" or
/// "refused" (an upgrade). A body of JSON is its value, with the messages of a long poll as values too. The
/// headers are those that clients go by: the media type, and what browsers are told (access-control-*).
nlohmann::json http_event(std::string_view kind, int status,
                          const std::vector<std::pair<std::string, std::string>>& headers,
                          const std::string& body);

enum class AskedBy : std::uint8_t { program, page };
/// Takes out of both what is not compared: a media type that the recorded server has not named, and, if no
/// browser's page has asked, what browsers are told.
void align_headers(nlohmann::json& expected, nlohmann::json& got, AskedBy);

} // namespace phx::conformance
