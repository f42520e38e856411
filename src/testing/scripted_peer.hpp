#pragma once

#include "phx/testing.hpp"
#include "protocol/wire/websocket_machine.hpp"
#include "src/server/router.hpp"
#include "src/testing/system.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phx::testing {

/// What answers instead of the server: the upgrade as it does, every frame as the script says.
struct Peer::State : std::enable_shared_from_this<Peer::State> {
public:
    using Script = std::function<void(Peer&, const Frame&)>;
    /// An answer that refuses every upgrade.
    struct Refusal {
        int http_status = 503;
        std::optional<std::chrono::seconds> retry_after = {};
    };

    State(System&, const std::vector<server::Endpoint>&, std::unique_ptr<Stream>);
    /// One of both.
    void start(Script);
    void start(Refusal refusal);

    bool is_over() const noexcept { return !stream_; }
    protocol::Vsn vsn() const noexcept { return vsn_; }
    void send(protocol::Opcode, std::string_view);
    void close(std::uint16_t code, std::string_view reason);
    void drop() { stream_.reset(); }

private:
    void attach();
    void receive(std::span<char>);
    void take_request();
    void answer(const shell::HttpAnswer&);
    void poll();
    void run(protocol::Opcode, std::string_view message);
    void settle();

    System& system_;
    const server::Options options_; // of them its endpoints alone
    std::unique_ptr<Stream> stream_;
    Script script_;
    std::optional<Refusal> refusal_;
    std::string head_;
    std::size_t scanned_ = 0;
    protocol::Vsn vsn_ = protocol::Vsn::v1;
    std::optional<protocol::WebSocketMachine> websocket_;
    std::string scratch_;
};

} // namespace phx::testing
