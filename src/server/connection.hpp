#pragma once

#include "phx/server/handlers.hpp"
#include "phx/server/server.hpp"
#include "protocol/server/outputs.hpp"
#include "protocol/wire/websocket_parser.hpp"
#include "src/lws/server_stream.hpp"
#include "src/server/deadlines.hpp"
#include "src/server/router.hpp"

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
///     http --upgrade--> open --close()--> closing --close frame--> finishing
///     http --last answer--> finishing;  open --close frame, echoed--> finishing
///     open --broken frame, close frame sent--> finishing;  any --end of stream--> gone
///
/// Invariant: what open_session() gave is given back by end_session() once, whatever happens.
class Connection final : public ServerStream, public Deadline {
public:
    enum class Phase : std::uint8_t {
        http,
        open,
        closing,   ///< our close frame is on its way, the client's is awaited
        finishing, ///< nothing more is said; what the client still sends is discarded until it ends the
                   ///< connection
    };

    Connection(Shard&, std::string peer);
    ~Connection() override;

    /// To an open WebSocket; ignored otherwise. Too much waiting closes it with 1013.
    void send(protocol::FrameOpcode, std::string_view payload);
    /// The same with a frame that is already built.
    void send_frame(std::string_view frame);
    /// Starts the closing handshake; ignored unless the WebSocket is open.
    void close(std::uint16_t code, std::string_view reason);
    /// The server ends: whoever is in the middle of a request is cut off.
    void stop();
    void handle_deadline();

    void start_session(protocol::server::SessionId, std::shared_ptr<const phx::server::Connection>);
    /// None before the upgrade.
    const std::optional<protocol::server::SessionId>& session() const noexcept { return session_; }
    bool session_has_ended() const noexcept { return session_has_ended_; }
    void note_session_end() noexcept { session_has_ended_ = true; }
    const std::string& peer() const noexcept { return peer_; }
    /// Null before the upgrade.
    const std::shared_ptr<const phx::server::Connection>& record() const noexcept { return record_; }
    protocol::TimePoint last_receive() const noexcept { return last_receive_; }

    std::size_t position = 0; ///< in the shard's list

private:
    void handle_bytes(std::span<char>) override;
    void handle_writing(Writing) override;
    void handle_gone() override;

    void take_requests();
    void answer(const HttpRequest&);
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
    std::optional<protocol::WebSocketParser> parser_;
    std::optional<protocol::server::SessionId> session_;
    bool session_has_ended_ = false;
    std::string peer_;
    std::shared_ptr<const phx::server::Connection> record_;
    protocol::TimePoint last_receive_{};
};

} // namespace phx::shell
