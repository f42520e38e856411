#include "src/client/log.hpp"

#include "phx/protocol/codec.hpp"

#include <chrono>
#include <utility>

namespace phx::shell {
namespace {

using protocol::ChannelState;
using protocol::Duration;
using protocol::HeartbeatStatus;
using protocol::SocketState;

constexpr std::size_t max_text_bytes = 200;

/// Text of the peer or of the program, on one line and without surprises for a terminal.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, max_text_bytes)) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    if (text.size() > max_text_bytes) out += "...";
    return out;
}

std::string in_ms(Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

std::string cause(const protocol::CloseInfo& why) {
    if (why.error) return printable(why.error->message);
    std::string text = "close code " + std::to_string(why.code);
    if (!why.reason.empty()) text += " (" + printable(why.reason) + ')';
    return text;
}

} // namespace

void Log::write(LogLevel level, const std::string& line) noexcept {
    try {
        logger_(level, line);
    } catch (...) { // a logger that fails has nobody to tell
    }
}

void Log::note(const protocol::act::Open& order) {
    if (!takes(LogLevel::info)) return;
    const std::string& url = order.target.url;
    write(LogLevel::info, "connecting to " + printable(std::string_view(url).substr(0, url.find('?'))));
}

void Log::note(const protocol::event::SocketChanged& news, std::optional<Duration> wait) {
    switch (news.to) {
    case SocketState::open:
        if (takes(LogLevel::info)) write(LogLevel::info, "connected");
        break;
    case SocketState::waiting:
        if (!takes(LogLevel::warning)) break;
        write(LogLevel::warning, (news.from == SocketState::open ? "connection lost: " : "cannot connect: ") +
                                     (news.why ? cause(*news.why) : "no cause") +
                                     (wait ? "; next attempt in " + in_ms(*wait) : ""));
        break;
    case SocketState::idle: {
        const bool is_failure = news.why && news.from == SocketState::connecting;
        const LogLevel level = is_failure ? LogLevel::error : LogLevel::info;
        if (takes(level))
            write(level, is_failure ? "cannot connect: " + cause(*news.why) + "; not tried again"
                                    : std::string("disconnected"));
        break;
    }
    default: break;
    }
}

void Log::note(const protocol::event::ChannelChanged& news, std::string_view topic) {
    const bool is_failure = news.why.has_value();
    const LogLevel level = is_failure ? LogLevel::warning : LogLevel::info;
    if (news.to == ChannelState::joining || news.to == ChannelState::leaving || !takes(level)) return;
    constexpr const char* names[] = {"closed", "joining", "joined", "leaving", "errored"};
    std::string line = printable(topic) + ' ' + names[static_cast<std::size_t>(news.to)];
    if (is_failure) line += ": " + printable(news.why->message);
    write(level, line);
}

void Log::note(const protocol::event::HeartbeatChanged& news) {
    if (news.status == HeartbeatStatus::ok && takes(LogLevel::debug)) {
        write(LogLevel::debug, "heartbeat answered after " + in_ms(news.round_trip));
    }
}

void Log::note(const protocol::event::PushFinished& news) {
    if (!news.outcome.error || !takes(LogLevel::debug)) return;
    write(LogLevel::debug, "push failed: " + printable(news.outcome.error->message));
}

void Log::note(const protocol::event::FrameDropped& news) {
    if (takes(LogLevel::warning)) write(LogLevel::warning, "dropped: " + printable(news.error.message));
}

void Log::frame(protocol::Vsn vsn, protocol::Direction direction, protocol::Opcode opcode,
                std::string_view bytes) {
    if (!takes(LogLevel::trace)) return;
    const auto frame = protocol::decode(vsn, direction, opcode, bytes, scratch_);
    std::string line = direction == protocol::Direction::to_server ? "sent " : "received ";
    line += frame ? printable(frame->topic) + ' ' + printable(frame->event) : std::string("something");
    write(LogLevel::trace, line + " [" + std::to_string(bytes.size()) + " bytes]");
}

} // namespace phx::shell
