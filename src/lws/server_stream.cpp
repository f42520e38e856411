#include "src/lws/server_stream.hpp"

#include "src/lws/context.hpp"
#include "src/lws/raw_role.hpp"

#include <algorithm>
#include <array>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace phx::shell {
namespace {

constexpr const char* protocol_name = "phx-server";
// One write at the most: what the system does not take of it is copied by libwebsockets.
constexpr std::size_t max_write_bytes = 64u << 10;
constexpr std::size_t max_record_bytes = 16u << 10; // of TLS: RFC 8446 section 5.1

} // namespace

struct ServerStreamCallbacks {
    static int handle(lws* wsi, lws_callback_reasons reason, void* /*user*/, void* in, std::size_t length) {
        if (!is_of_connection(reason)) return 0;
        auto* const stream = static_cast<ServerStream*>(lws_get_opaque_user_data(wsi));
        if (!stream) return 0;
        if (reason == LWS_CALLBACK_RAW_ADOPT) {
            stream->wsi_ = wsi;
            return 0;
        }
        if (!stream->wsi_) return 0; // the adoption failed; adopt() says so
        if (reason == LWS_CALLBACK_RAW_CLOSE) {
            stream->wsi_ = nullptr;
            stream->handle_gone();
            return 0;
        }
        if (!stream->is_killed_) {
            if (reason == LWS_CALLBACK_RAW_RX) {
                stream->receive({static_cast<char*>(in), length});
            } else {
                stream->flush();
            }
        }
        return stream->is_killed_ ? -1 : 0;
    }
};

lws_vhost* create_server_vhost(lws_context* context) {
    static const lws_protocols protocols[] = {
        {protocol_name, ServerStreamCallbacks::handle, 0, 0, 0, nullptr, max_write_bytes},
        {nullptr, nullptr, 0, 0, 0, nullptr, 0},
    };
    return create_raw_vhost(context, protocols);
}

// ---- BufferPool

std::string BufferPool::take() {
    if (free_.empty()) return {};
    std::string buffer = std::move(free_.back());
    free_.pop_back();
    total_bytes_ -= buffer.capacity();
    return buffer;
}

void BufferPool::give_back(std::string&& given) {
    std::string buffer = std::move(given);
    const std::size_t bytes = buffer.capacity();
    if (bytes < min_buffer_bytes || bytes > max_buffer_bytes || total_bytes_ + bytes > max_total_bytes)
        return;
    buffer.clear();
    total_bytes_ += bytes;
    free_.push_back(std::move(buffer));
}

// ---- ServerStream

bool ServerStream::adopt(lws_vhost* vhost, int descriptor) {
    if (descriptor >= loop_.context().descriptor_limit()) {
        ::close(descriptor);
        return false;
    }
    return adopt_raw(vhost, descriptor, protocol_name, this);
}

void ServerStream::adopt(std::unique_ptr<VirtualStream> stream) {
    virtual_ = std::move(stream);
    virtual_->attach({.received = [this](std::span<char> bytes) { handle_bytes(bytes); },
                      .ended = [this] { handle_gone(); }});
}

std::string& ServerStream::output() {
    if (output_.empty()) output_ = buffers_.take();
    return output_;
}

void ServerStream::finish(Ending ending) {
    finishing_ = ending;
    output_changed();
}

void ServerStream::kill() noexcept {
    if (is_killed_ || (!wsi_ && !virtual_)) return;
    is_killed_ = true;
    if (virtual_) {
        virtual_.reset();
        // Only its own end, which waits for this, can take it away before.
        loop_.system()->at(loop_.now(), [this] { handle_gone(); });
        return;
    }
    LwsContext::close_soon(wsi_);
}

void ServerStream::secure(TlsContext context) { tls_ = std::make_unique<TlsSession>(std::move(context)); }

void ServerStream::receive(std::span<char> bytes) {
    if (tls_) return receive_encrypted(bytes);
    handle_bytes(bytes);
}

void ServerStream::receive_encrypted(std::span<char> bytes) {
    using State = TlsSession::State;
    tls_->feed({bytes.data(), bytes.size()});
    tls_->handshake();
    std::array<char, max_record_bytes> plain;
    while (!is_killed_) {
        const std::size_t length = tls_->read(plain);
        if (length == 0) break;
        handle_bytes(std::span(plain).first(length));
    }
    if (is_killed_) return;
    output_changed(); // what TLS itself says, and what waited for the handshake
    if (tls_->state() == State::closed) return finish(Ending::at_once);
    if (tls_->state() != State::failed) return;
    handle_tls_failure(tls_->reason());
    flush(); // the alert
    kill();
}

bool ServerStream::lws_holds_output() const noexcept { return lws_partial_buffered(wsi_) != 0; }

bool ServerStream::write_raw(std::string_view bytes) {
    // The raw role needs no LWS_PRE before the data, and does not change it.
    auto* const data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
    if (lws_write(wsi_, data, bytes.size(), LWS_WRITE_RAW) < 0) return false;
    in_library_ = bytes.size();
    return true;
}

bool ServerStream::write_some() {
    if (tls_) return write_encrypted();
    while (written_ < output_.size() && !lws_holds_output()) {
        const std::size_t bytes = std::min(max_write_bytes, output_.size() - written_);
        if (!write_raw(std::string_view(output_).substr(written_, bytes))) return false;
        written_ += bytes;
    }
    return true;
}

bool ServerStream::write_encrypted() {
    std::string encrypted = buffers_.take();
    bool is_fine = true;
    while (is_fine && !lws_holds_output()) {
        tls_->take_output(encrypted);
        written_ += tls_->write(std::string_view(output_).substr(written_, max_write_bytes), encrypted);
        if (encrypted.empty()) break;
        is_fine = write_raw(encrypted);
        encrypted.clear();
    }
    buffers_.give_back(std::move(encrypted));
    return is_fine;
}

/// Everything is taken at once, and lingering is for networks that lose what was sent before a reset.
void ServerStream::flush_virtual() {
    virtual_->write(output_);
    buffers_.give_back(std::exchange(output_, {}));
    if (finishing_) kill();
}

void ServerStream::flush() {
    if (virtual_) return flush_virtual();
    if (!wsi_ || is_killed_) return;
    const std::size_t written_before = written_;
    if (!write_some()) return kill();
    if (lws_holds_output()) {
        const bool has_moved = written_ != written_before;
        if (written_ > max_write_bytes && written_ > output_.size() / 2) {
            output_.erase(0, written_);
            written_ = 0;
        }
        // Not for new output alone: a busy topic would keep a dead peer alive.
        if (has_moved || !is_stalled_) set_stalled(Writing::stalled);
        return; // libwebsockets asks for RAW_WRITEABLE by itself
    }
    in_library_ = 0;
    if (is_stalled_) set_stalled(Writing::resumed);
    if (written_ < output_.size()) return; // until the handshake is over
    written_ = 0;
    buffers_.give_back(std::exchange(output_, {}));
    if (finishing_ && tls_) say_goodbye();
    if (finishing_ == Ending::at_once) return kill();
    if (finishing_.has_value()) {
        finishing_.reset();
        ::shutdown(lws_get_socket_fd(wsi_), SHUT_WR);
    }
}

/// close_notify: without it the client must fear that something is missing (RFC 8446 section 6.1).
void ServerStream::say_goodbye() {
    tls_->close();
    static_cast<void>(write_encrypted());
}

void ServerStream::set_stalled(Writing writing) {
    const bool is_stalled = writing == Writing::stalled;
    if (is_stalled != is_stalled_) {
        is_stalled_ = is_stalled;
        // While libwebsockets holds output its raw role does not read, and would be woken for what can be
        // read again and again.
        lws_rx_flow_control(wsi_, is_stalled ? 0 : 1);
    }
    handle_writing(writing);
}

} // namespace phx::shell
