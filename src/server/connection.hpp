#pragma once

#include "phx/server/handlers.hpp"
#include "phx/server/server.hpp"
#include "protocol/server/outputs.hpp"
#include "protocol/wire/http_response.hpp"
#include "protocol/wire/websocket_parser.hpp"
#include "src/lws/server_stream.hpp"
#include "src/server/connection_limits.hpp"
#include "src/server/deadlines.hpp"
#include "src/server/http_exchange.hpp"
#include "src/server/router.hpp"
#include "src/server/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phx::shell {

class Shard;

/// One client: HTTP requests first, WebSocket messages after an upgrade.
///
/// A request for a service waits for its body, then for its answer; what the client sends meanwhile waits
/// too.
///
///     http --upgrade--> open --close()--> closing --close frame--> finishing
///     http --last answer--> finishing;  open --close frame, echoed--> finishing
///     open --broken frame, close frame sent--> finishing;  any --end of stream--> gone
///
/// Invariant: what open_session() gave is given back by end_session() once, whatever happens.
class Connection final : public ServerStream, public Deadline, public Transport {
public:
    enum class Phase : std::uint8_t {
        http,
        open,
        closing,   ///< our close frame is on its way, the client's is awaited
        finishing, ///< nothing more is said; what the client still sends is discarded until it ends the
                   ///< connection
    };

    Connection(Shard&, std::string peer, ConnectionLimits::Place);
    ~Connection() override;

    // ---- of an open WebSocket
    void send(protocol::Opcode, std::string_view payload) override;
    void send_shared(std::string_view frame, protocol::Opcode, std::string_view payload) override;
    /// Starts the closing handshake.
    void close(std::uint16_t code, std::string_view reason) override;
    protocol::TimePoint last_receive() const noexcept override { return last_receive_; }

    /// What a service says to the request at hand.
    void answer_exchange(const HttpAnswer&);
    void flush() override;
    /// A request of it is under way, or an answer.
    bool is_being_served() const noexcept;
    /// The server ends: whoever is in the middle of a request is cut off.
    void stop();
    void handle_deadline() override;

    const std::string& peer() const noexcept { return peer_; }
    std::size_t position = 0; ///< in the shard's list

private:
    void handle_bytes(std::span<char>) override;
    void handle_writing(Writing) override;
    void handle_tls_failure(std::string_view reason) override;
    void handle_gone() override;

    void send_frame(protocol::FrameOpcode, std::string_view payload);
    void give_up_request();
    void take_requests();
    bool may_answer();
    /// One request head, or a part of a body; how many bytes it used. None: nothing can be done with them
    /// yet.
    std::optional<std::size_t> take_http(std::string_view bytes);
    std::size_t take_body(std::string_view bytes);
    void answer(const HttpRequest&, std::string_view head);
    void start_service(const HttpRequest&, std::string_view head, ServiceRequest);
    void run_service();
    void respond(const HttpAnswer&, BodyPart, AfterAnswer);
    void upgrade(UpgradeRequest);
    void take_frames(std::span<char>);
    void take_event(const protocol::WebSocketEvent&);
    void finish_soon(Ending);
    bool has_room(std::size_t bytes);

    Shard& shard_;
    Phase phase_ = Phase::http;
    std::string head_;            // bytes of requests that are not answered yet
    std::size_t scanned_ = 0;     // of head_, for its end
    std::uint64_t body_left_ = 0; // of a request that is answered already
    bool has_asked_ = false;      // one whole request at least
    std::optional<ServiceRequest> service_;
    std::shared_ptr<HttpExchange> exchange_; // of service_
    std::optional<protocol::HttpBody> body_; // of exchange_, while it arrives
    bool is_taking_ = false;                 // the one that runs goes on with what waits
    bool has_waiting_requests_ = false;      // for flush()
    std::optional<protocol::WebSocketParser> parser_;
    std::string peer_;
    ConnectionLimits::Place place_;
    protocol::TimePoint last_receive_{};
};

} // namespace phx::shell
