#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// The payloads of RPC: one end pushes rpc:request, the other answers rpc:response (protocol/README.md).
///
/// | payload | request | response |
/// |---|---|---|
/// | text | `{"id":ID,"method":"m","params":P}` | `{"id":ID,"ok":V}` or `{"id":ID,"error":V}` |
/// | binary | u8 id_len, u8 method_len, id, method, params | u8 id_len, u8 status, id, body |
///
/// Of the lengths and the status each is one byte; the status is 0 for ok and 1 for an error.
namespace phx::protocol {

inline constexpr std::string_view rpc_request_event = "rpc:request";
inline constexpr std::string_view rpc_response_event = "rpc:response";

/// Names a request: chosen by who asks, repeated by who answers.
struct RpcId {
    Opcode kind = Opcode::text; ///< of the payload it came in
    std::string_view text = {}; ///< a JSON scalar as it was written, or UTF-8 in a binary payload

    /// There is none, or null.
    bool empty() const noexcept { return text.empty(); }
};

struct RpcRequest {
    RpcId id = {}; ///< empty: one-way, nobody waits for a response
    std::string_view method = {};
    Opcode kind = Opcode::text;
    std::string_view params = {}; ///< JSON text, or bytes

    bool is_one_way() const noexcept { return id.empty(); }
};

enum class RpcStatus : std::uint8_t { ok = 0, error = 1 };

struct RpcResponse {
    RpcId id = {};
    RpcStatus status = RpcStatus::ok;
    Opcode kind = Opcode::text;
    std::string_view body = {}; ///< JSON text, or bytes
};

/// Any bytes are safe. Views of the results point into `payload`; a method with escapes, into `scratch`.
/// Missing params are `{}`; unknown keys are dropped.
///
/// Errors, of Origin::peer: malformed_frame (no object, truncated, no method, a key twice, a wrong type, an
/// unknown status, no id or not exactly one of ok and error in a response), invalid_utf8.
Result<RpcRequest> read_rpc_request(Opcode kind, std::string_view payload, std::string& scratch);
Result<RpcResponse> read_rpc_response(Opcode kind, std::string_view payload);

/// The id of a request that read_rpc_request() refuses, if it can be answered: else an empty one.
RpcId rpc_request_id(Opcode kind, std::string_view payload);

/// Appends the payload. The kind of a response need not be that of its request: the id of a text payload goes
/// into a binary one as the text of a string, or the token (as refs do), and the other way as a string.
///
/// Empty params and an empty body of text are `{}`. REQUIRES that the id of a text payload is a JSON scalar.
/// Errors, of Origin::local, with `out` as before: field_too_long (id or method over 255 bytes in a binary
/// payload), invalid_payload (no JSON), invalid_utf8 (the method), invalid_argument (no method; a response
/// without an id, or whose id, an empty string, has no binary form).
Result<void> build_rpc_request(const RpcRequest&, std::string& out);
Result<void> build_rpc_response(const RpcResponse&, std::string& out);

/// What request and response have in common whatever the kinds of the two: look requests up by this. Ids of
/// one text and different JSON types (`7` and `"7"`) are the same here. Uses `scratch` only for escapes.
std::string_view rpc_id_text(const RpcId&, std::string& scratch);

} // namespace phx::protocol
