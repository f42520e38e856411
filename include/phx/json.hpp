#pragma once

#include "phx/result.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace phx {

/// JSON values of this API. The compiled library takes and gives JSON as text; nlohmann's types appear only
/// in the inline functions of these headers, so a program may use its own version of nlohmann/json.
using Json = nlohmann::json;
using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;
using Binary = std::span<const std::byte>;

/// The bytes of a string or of any contiguous range of characters, as a binary payload.
inline Binary as_binary(std::string_view bytes) noexcept {
    return std::as_bytes(std::span<const char>(bytes.data(), bytes.size()));
}
inline std::string_view as_text(Binary bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Parses JSON text. Never throws. Errors: invalid_payload, with the reason and the position.
inline Result<Json> parse_json(std::string_view text) {
    Json value = Json::parse(text.begin(), text.end(), nullptr, false);
    if (value.is_discarded())
        return fail(Errc::invalid_payload, "the payload is not JSON that fits a nlohmann::json");
    return value;
}

/// A JSON value as a T that nlohmann::json can make. Never throws. Errors: invalid_payload, with the reason.
template <class T> Result<T> json_as(const Result<Json>& value) {
    if (!value) return Failure{value.error()};
    try {
        return value->get<T>();
    } catch (const std::exception& e) {
        return fail(Errc::invalid_payload, std::string("the payload does not fit the type: ") + e.what(),
                    Origin::peer);
    }
}

/// The text of a payload. `null` becomes `{}`: phoenix.js sends `payload || {}`, and nlohmann makes a null of
/// a `{}` given as an argument. Never throws. Errors: invalid_utf8 (a string that is not UTF-8).
inline Result<std::string> payload_text(const Json& payload) {
    if (payload.is_null()) return std::string("{}");
    try {
        return payload.dump();
    } catch (const std::exception&) {
        return fail(Errc::invalid_utf8,
                    "a string of the payload is not valid UTF-8; send other bytes as binary");
    }
}

/// The same for arguments that cannot fail otherwise. Throws std::invalid_argument.
inline std::string payload_argument(const Json& payload) {
    auto text = payload_text(payload);
    if (!text) throw std::invalid_argument(text.error().message);
    return std::move(*text);
}

} // namespace phx
