#include "phx/error.hpp"

namespace phx {
namespace {

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "phx"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
        case Errc::timeout: return "timeout";
        case Errc::rejected: return "rejected";
        case Errc::join_refused: return "join refused";
        case Errc::not_joined: return "not joined";
        case Errc::channel_closed: return "channel closed";
        case Errc::socket_closed: return "socket closed";
        case Errc::disconnected: return "disconnected";
        case Errc::connect_failed: return "connect failed";
        case Errc::tls_failed: return "TLS failed";
        case Errc::upgrade_refused: return "upgrade refused";
        case Errc::server_closed: return "closed by the server";
        case Errc::malformed_frame: return "malformed frame";
        case Errc::invalid_utf8: return "invalid UTF-8";
        case Errc::frame_too_large: return "frame too large";
        case Errc::unknown_kind: return "unknown kind of frame";
        case Errc::field_too_long: return "field too long";
        case Errc::invalid_payload: return "invalid payload";
        case Errc::buffer_full: return "buffer full";
        case Errc::heartbeat_lost: return "heartbeat lost";
        case Errc::bad_auth: return "bad credentials";
        case Errc::binding_mismatch: return "binding mismatch";
        case Errc::cancelled: return "cancelled";
        case Errc::would_deadlock: return "would deadlock";
        case Errc::handler_failed: return "handler failed";
        case Errc::invalid_argument: return "invalid argument";
        case Errc::system_failure: return "system failure";
        }
        return "unknown phx error";
    }
};

} // namespace

const std::error_category& error_category() noexcept {
    static const Category category;
    return category;
}

} // namespace phx
