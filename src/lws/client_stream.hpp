#pragma once

#include "phx/function.hpp"
#include "phx/result.hpp"
#include "src/loop/virtual_system.hpp"
#include "src/net/descriptor.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

struct lws;

namespace phx::shell {

class LwsContext;

/// A connected socket in the hands of libwebsockets (its raw role), which tells what comes and when it can be
/// written to again. Loop thread only, one use.
class ClientStream {
public:
    class Listener {
    public:
        /// In libwebsockets' buffer, which may be changed.
        virtual void stream_received(std::span<char>) = 0;
        virtual void stream_writable() = 0;
        /// The other end, or the network, ended it.
        virtual void stream_ended() = 0;

    protected:
        ~Listener() = default;
    };

    explicit ClientStream(Listener& listener) : listener_(listener) {}
    ~ClientStream() { drop(); }
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    /// Errors: system_failure, when libwebsockets cannot take it.
    Result<void> adopt(LwsContext&, Descriptor);
    /// In the place of a socket.
    void dial(VirtualSystem&, Function<void(bool is_accepted)> connected);
    bool is_open() const noexcept { return wsi_ != nullptr || virtual_ != nullptr; }
    /// How much of it the system took; when that is not all, stream_writable() follows, unless the connection
    /// is broken: then stream_ended() does, once everything that came is read.
    std::size_t write(std::string_view bytes);
    /// Closes soon, without a word and without a call.
    void drop();

private:
    friend struct ClientStreamCallbacks;
    Listener& listener_;
    lws* wsi_ = nullptr;
    std::unique_ptr<VirtualStream> virtual_;
};

} // namespace phx::shell
