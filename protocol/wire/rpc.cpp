#include "protocol/wire/rpc.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/wire/json_text.hpp"
#include "protocol/wire/utf8_sequence.hpp"

#include <array>
#include <cstddef>

namespace phx::protocol {
namespace {

using wire::JsonReader;

enum Key : unsigned { id, method, params, ok, error, other };
constexpr std::array<std::string_view, other> names = {"id", "method", "params", "ok", "error"};

constexpr std::size_t lengths_bytes = 2;
constexpr std::size_t max_field_bytes = 255;

Failure refuse(std::string_view what, Errc code = Errc::malformed_frame) {
    return fail(code, std::string(what), Origin::peer);
}

/// The values of the members that requests and responses have, as written; empty when missing.
struct Members {
    std::array<std::string_view, other> values = {};
    unsigned repeated = 0;

    std::string_view operator[](Key key) const noexcept { return values[key]; }
    bool has(Key key) const noexcept { return !values[key].empty(); }
};

bool read_member(JsonReader& reader, Members& members) noexcept {
    wire::RawString name;
    std::string_view value;
    if (!reader.name(name) || !reader.value(value)) return false;
    for (unsigned key = 0; key < other; ++key) {
        if (!wire::is_key(name, names[key])) continue;
        if (!members.values[key].empty()) members.repeated |= 1u << key;
        members.values[key] = value;
    }
    return true;
}

Result<Members> read_members(std::string_view json) {
    JsonReader reader(json, JsonReader::depth_cap);
    Members members;
    reader.skip_space();
    bool is_read = reader.expect('{', "expected an object");
    if (is_read && reader.peek() != '}') {
        do is_read = read_member(reader, members);
        while (is_read && reader.take(','));
    }
    if (!is_read || !reader.expect('}', "expected ',' or '}'") || !reader.finish()) return reader.failure();
    return members;
}

/// As in the envelope of v1: no two readers may disagree about which of the two counts.
Result<void> check_once(const Members& members) {
    for (unsigned key = 0; key < other; ++key) {
        if ((members.repeated & 1u << key) != 0)
            return refuse("the key \"" + std::string(names[key]) + "\" is repeated");
    }
    return {};
}

Result<RpcId> json_id(const Members& members) {
    const std::string_view token = members[id];
    if ((members.repeated & 1u << id) != 0) return refuse("the key \"id\" is repeated");
    if (token.starts_with('{') || token.starts_with('[')) return refuse("the id is no scalar");
    if (token == "null") return RpcId{}; // as a ref that is null: nobody waits
    return RpcId{Opcode::text, token};
}

Result<RpcRequest> read_json_request(std::string_view payload, std::string& scratch) {
    const auto members = read_members(payload);
    if (!members) return Failure{members.error()};
    if (const auto once = check_once(*members); !once) return Failure{once.error()};
    const auto request_id = json_id(*members);
    if (!request_id) return Failure{request_id.error()};
    if (!members->has(method)) return refuse("the request has no method");
    if (!(*members)[method].starts_with('"')) return refuse("the method is no string");
    RpcRequest request;
    request.id = *request_id;
    request.method = unquote({(*members)[method]}, scratch);
    if (request.method.empty()) return refuse("the method is empty");
    request.params = members->has(params) ? (*members)[params] : std::string_view("{}");
    return request;
}

Result<RpcResponse> read_json_response(std::string_view payload) {
    const auto members = read_members(payload);
    if (!members) return Failure{members.error()};
    if (const auto once = check_once(*members); !once) return Failure{once.error()};
    const auto request_id = json_id(*members);
    if (!request_id) return Failure{request_id.error()};
    if (request_id->empty()) return refuse("the response has no id");
    if (members->has(ok) == members->has(error))
        return refuse("the response has not exactly one of \"ok\" and \"error\"");
    RpcResponse response;
    response.id = *request_id;
    response.status = members->has(ok) ? RpcStatus::ok : RpcStatus::error;
    response.body = (*members)[members->has(ok) ? ok : error];
    return response;
}

unsigned byte_at(std::string_view bytes, std::size_t at) noexcept {
    return static_cast<unsigned char>(bytes[at]);
}

/// Takes a field from the front of `left`. They become JSON text elsewhere: so they are UTF-8.
Result<std::string_view> take_field(std::string_view& left, std::size_t size, const char* name) {
    if (left.size() < size) return refuse(std::string("expected more of the ") + name);
    const std::string_view field = left.substr(0, size);
    if (wire::utf8_error(field) != size)
        return refuse(std::string("invalid UTF-8 in the ") + name, Errc::invalid_utf8);
    left.remove_prefix(size);
    return field;
}

/// Takes the id, behind the two bytes that request and response begin with.
Result<RpcId> take_binary_id(std::string_view& left) {
    if (left.size() < lengths_bytes) return refuse("expected the lengths of a binary payload");
    const std::size_t size = byte_at(left, 0);
    left.remove_prefix(lengths_bytes);
    const auto field = take_field(left, size, "id");
    if (!field) return Failure{field.error()};
    return RpcId{Opcode::binary, *field};
}

Result<RpcRequest> read_binary_request(std::string_view payload) {
    std::string_view left = payload;
    const auto request_id = take_binary_id(left);
    if (!request_id) return Failure{request_id.error()};
    const auto name = take_field(left, byte_at(payload, 1), "method");
    if (!name) return Failure{name.error()};
    if (name->empty()) return refuse("the method is empty");
    return RpcRequest{*request_id, *name, Opcode::binary, left};
}

Result<RpcResponse> read_binary_response(std::string_view payload) {
    std::string_view left = payload;
    const auto request_id = take_binary_id(left);
    if (!request_id) return Failure{request_id.error()};
    if (request_id->empty()) return refuse("the response has no id");
    const unsigned status = byte_at(payload, 1);
    if (status > 1) return refuse("the status is neither 0 nor 1");
    return RpcResponse{*request_id, static_cast<RpcStatus>(status), Opcode::binary, left};
}

// ---- building

Result<void> check_body(std::string_view json) {
    if (json.empty()) return {};
    if (const auto valid = validate_json(json); !valid)
        return fail(Errc::invalid_payload, "the payload is no JSON: " + valid.error().message);
    return {};
}

void append_member(std::string& out, Key key, std::string_view json) {
    out.append(out.ends_with('{') ? "\"" : ",\"").append(names[key]).append("\":").append(json);
}

void append_json_id(std::string& out, const RpcId& request_id) {
    if (request_id.kind == Opcode::text) return append_member(out, id, request_id.text);
    append_member(out, id, {});
    append_json_string(out, request_id.text);
}

Result<void> check_field(std::string_view field, const char* name) {
    if (field.size() <= max_field_bytes) return {};
    return fail(Errc::field_too_long, std::string("the ") + name + " has " + std::to_string(field.size()) +
                                          " bytes, binary payloads allow 255");
}

std::string_view body_or_empty(std::string_view json) noexcept { return json.empty() ? "{}" : json; }

Result<void> check_request(const RpcRequest& request, std::string_view binary_id) {
    if (request.method.empty()) return fail(Errc::invalid_argument, "a request needs a method");
    if (wire::utf8_error(request.method) != request.method.size())
        return fail(Errc::invalid_utf8, "the method is not UTF-8");
    if (request.kind == Opcode::text) return check_body(request.params);
    if (!request.is_one_way() && binary_id.empty())
        return fail(Errc::invalid_argument, "an empty string as the id has no binary form");
    if (auto fits = check_field(binary_id, "id"); !fits) return fits;
    return check_field(request.method, "method");
}

Result<void> check_response(const RpcResponse& response, std::string_view binary_id) {
    if (response.id.empty()) return fail(Errc::invalid_argument, "a response needs an id");
    if (response.kind == Opcode::text) return check_body(response.body);
    if (binary_id.empty())
        return fail(Errc::invalid_argument, "an empty string as the id has no binary form");
    return check_field(binary_id, "id");
}

} // namespace

Result<RpcRequest> read_rpc_request(Opcode kind, std::string_view payload, std::string& scratch) {
    return kind == Opcode::binary ? read_binary_request(payload) : read_json_request(payload, scratch);
}

Result<RpcResponse> read_rpc_response(Opcode kind, std::string_view payload) {
    return kind == Opcode::binary ? read_binary_response(payload) : read_json_response(payload);
}

RpcId rpc_request_id(Opcode kind, std::string_view payload) {
    if (kind == Opcode::binary) {
        const auto found = take_binary_id(payload);
        return found ? *found : RpcId{};
    }
    const auto members = read_members(payload);
    if (!members) return {};
    const auto found = json_id(*members);
    return found ? *found : RpcId{};
}

std::string_view rpc_id_text(const RpcId& request_id, std::string& scratch) {
    return request_id.kind == Opcode::binary ? request_id.text : unquote({request_id.text}, scratch);
}

Result<void> build_rpc_request(const RpcRequest& request, std::string& out) {
    std::string scratch;
    const std::string_view binary_id = rpc_id_text(request.id, scratch);
    if (auto valid = check_request(request, binary_id); !valid) return valid;
    if (request.kind == Opcode::binary) {
        out.push_back(static_cast<char>(binary_id.size()));
        out.push_back(static_cast<char>(request.method.size()));
        out.append(binary_id).append(request.method).append(request.params);
        return {};
    }
    out.push_back('{');
    if (!request.is_one_way()) append_json_id(out, request.id);
    append_member(out, method, {});
    append_json_string(out, request.method);
    append_member(out, params, body_or_empty(request.params));
    out.push_back('}');
    return {};
}

Result<void> build_rpc_response(const RpcResponse& response, std::string& out) {
    std::string scratch;
    const std::string_view binary_id = rpc_id_text(response.id, scratch);
    if (auto valid = check_response(response, binary_id); !valid) return valid;
    if (response.kind == Opcode::binary) {
        out.push_back(static_cast<char>(binary_id.size()));
        out.push_back(static_cast<char>(response.status));
        out.append(binary_id).append(response.body);
        return {};
    }
    out.push_back('{');
    append_json_id(out, response.id);
    append_member(out, response.status == RpcStatus::ok ? ok : error, body_or_empty(response.body));
    out.push_back('}');
    return {};
}

} // namespace phx::protocol
