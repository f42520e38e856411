#pragma once

#include "src/loop/loop_core.hpp"
#include "src/net/tls_session.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct lws;
struct lws_context;
struct lws_vhost;

namespace phx::shell {

/// The vhost that accepted connections are given to; it lives as long as the context. Null if out of memory.
lws_vhost* create_server_vhost(lws_context*);

/// Write buffers that nobody needs at the moment: a busy connection borrows one, so that an idle one owns
/// none and a busy one allocates nothing.
class BufferPool {
public:
    std::string take();
    void give_back(std::string&&);

private:
    static constexpr std::size_t min_buffer_bytes = 64; // less is no heap memory
    static constexpr std::size_t max_buffer_bytes = 64u << 10;
    static constexpr std::size_t max_total_bytes = 16u << 20;
    std::vector<std::string> free_;
    std::size_t total_bytes_ = 0;
};

/// The bytes of one accepted connection. libwebsockets carries them (its raw role: socket, later TLS, event
/// loop); what they mean is for the derived class. Output of one loop turn goes out with one write at its
/// end.
///
/// Why not libwebsockets' HTTP and WebSocket roles (4.1.6): a Sec-WebSocket-Protocol of more than 126 bytes,
/// which any token is, ends the connection without an answer or a callback (lws_process_ws_upgrade copies it
/// into 128 bytes); close codes 1012 to 1014 of clients become 1002; unmasked frames are taken; of several
/// pings in one read one is answered; a length over 2^63 is dropped without a close frame; and each
/// connection owns a receive buffer.
class ServerStream : public Flushable {
public:
    ServerStream(LoopCore& loop, BufferPool& buffers) : loop_(loop), buffers_(buffers) {}
    ~ServerStream() override = default;

    /// Before adopt(): the connection is TLS.
    void secure(TlsContext);
    /// Takes the descriptor in any case. False: there will be no callback.
    bool adopt(lws_vhost*, int descriptor);
    void adopt(std::unique_ptr<VirtualStream>);

    /// What is appended goes out at the end of the turn, if output_changed() is told.
    std::string& output();
    void output_changed() { loop_.flush_later(*this); }
    /// Not yet taken by the system, at most.
    std::size_t pending_bytes() const noexcept { return output_.size() - written_ + in_library_; }
    enum class Ending : std::uint8_t {
        at_once, ///< the peer has said its last
        linger,  ///< our half only: while the peer still sends, closing all would take our last bytes from it
                 ///< (RST)
    };
    /// Ends the connection when all that is pending is written; what still comes is for handle_bytes().
    void finish(Ending);
    /// Ends the connection soon; handle_gone() follows, handle_bytes() does not.
    void kill() noexcept;

    void flush() override;

protected:
    /// In libwebsockets' buffer, which may be changed.
    virtual void handle_bytes(std::span<char>) = 0;
    enum class Writing : std::uint8_t { stalled, resumed };
    /// The peer has not taken all of our bytes, or has again. Meanwhile nothing is read from it.
    virtual void handle_writing(Writing) = 0;
    /// TLS could not be set up, or broke; the connection ends.
    virtual void handle_tls_failure(std::string_view reason) = 0;
    /// The last call, outside of any other call of this object: it may be destroyed.
    virtual void handle_gone() = 0;

private:
    friend struct ServerStreamCallbacks;
    void receive(std::span<char>);
    void receive_encrypted(std::span<char>);
    bool write_some();
    bool write_encrypted();
    bool write_raw(std::string_view);
    bool lws_holds_output() const noexcept;
    void say_goodbye();
    void flush_virtual();
    void set_stalled(Writing);

    LoopCore& loop_;
    BufferPool& buffers_;
    lws* wsi_ = nullptr;
    std::unique_ptr<TlsSession> tls_;
    std::unique_ptr<VirtualStream> virtual_;
    std::string output_;
    std::size_t written_ = 0;    // of output_
    std::size_t in_library_ = 0; // of the last write, at most
    bool is_stalled_ = false;
    std::optional<Ending> finishing_;
    bool is_killed_ = false;
};

} // namespace phx::shell
