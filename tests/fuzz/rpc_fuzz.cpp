#include "protocol/wire/rpc.hpp"
#include "tests/fuzz/codec_fuzz_support.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace phx;
using namespace phx::protocol;

void check_error(const Error& error) {
    fuzz::require(error.origin == Origin::peer, "it is the peer's fault");
    fuzz::require(!error.message.empty() && error.message.size() < 200, "a short message");
}

bool same_id(const RpcId& a, const RpcId& b) {
    std::string scratch_a, scratch_b;
    return rpc_id_text(a, scratch_a) == rpc_id_text(b, scratch_b);
}

void check_request(Opcode kind, std::string_view payload) {
    std::string scratch, scratch_again, out;
    const auto request = read_rpc_request(kind, payload, scratch);
    const RpcId id = rpc_request_id(kind, payload);
    if (!request) return check_error(request.error());
    fuzz::require(!request->method.empty(), "a method");
    fuzz::require(id.kind == request->id.kind && id.text == request->id.text, "one id");
    if (!build_rpc_request(*request, out)) return; // deeper than frames may be
    const auto again = read_rpc_request(kind, out, scratch_again);
    fuzz::require(again.has_value(), "what was built is read");
    fuzz::require(again->id.text == id.text && again->method == request->method &&
                      again->params == request->params,
                  "and is the same");
}

void check_response(Opcode kind, std::string_view payload) {
    const auto response = read_rpc_response(kind, payload);
    if (!response) return check_error(response.error());
    for (const Opcode other : {Opcode::text, Opcode::binary}) {
        RpcResponse wanted = *response;
        wanted.kind = other;
        if (other != kind) wanted.body = "{}";
        std::string out;
        if (!build_rpc_response(wanted, out)) continue; // too deep, or an id that is too long
        const auto again = read_rpc_response(other, out);
        fuzz::require(again.has_value(), "what was built is read");
        fuzz::require(same_id(again->id, response->id) && again->status == response->status &&
                          again->body == wanted.body,
                      "and is the same");
    }
}

} // namespace

/// Each input is taken for all four payloads.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of exactly this size: the sanitizer sees a read past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size != 0) std::memcpy(copy.get(), data, size);
    const std::string_view payload(copy.get(), size);
    for (const Opcode kind : {Opcode::text, Opcode::binary}) {
        check_request(kind, payload);
        check_response(kind, payload);
    }
    return 0;
}
