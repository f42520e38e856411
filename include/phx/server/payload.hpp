#pragma once

#include "phx/protocol/frame.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace phx::server {

/// What a message carries: JSON text or raw bytes. Borrowed: valid during the call it is given to.
struct PayloadView {
    protocol::Opcode kind = protocol::Opcode::text;
    std::string_view data = "{}";

    bool binary() const noexcept { return kind == protocol::Opcode::binary; }
};

/// The same, owned. A string is taken as JSON text.
struct Payload {
    protocol::Opcode kind = protocol::Opcode::text;
    std::string data = "{}";

    Payload() = default;
    Payload(std::string json) : data(std::move(json)) {}
    Payload(const char* json) : data(json) {}
    Payload(PayloadView view) : kind(view.kind), data(view.data) {}

    static Payload binary(std::string bytes) {
        Payload payload(std::move(bytes));
        payload.kind = protocol::Opcode::binary;
        return payload;
    }
    operator PayloadView() const noexcept { return {kind, data}; }
};

} // namespace phx::server
