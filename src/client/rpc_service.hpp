#pragma once

#include "phx/error.hpp"
#include "phx/message.hpp"
#include "phx/rpc.hpp"
#include "protocol/wire/rpc.hpp"
#include "src/client/handler_list.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace phx::shell {

class ChannelCore;
class Driver;

/// A response on its way to the loop thread.
struct RpcAnswer {
    std::uint64_t join; ///< that the request came with
    protocol::Opcode id_kind;
    std::string id;
    Response response;
};

/// One request, until it is answered: by its handler, or by its own end. Any thread.
class RpcCall {
public:
    RpcCall(ChannelCore&, std::uint64_t join, const protocol::RpcRequest&);
    ~RpcCall() { finish(Response::refuse("no answer")); }
    RpcCall(const RpcCall&) = delete;
    RpcCall& operator=(const RpcCall&) = delete;

    const Request& request() const noexcept { return request_; }
    /// A second one is ignored.
    void finish(Response);

private:
    const std::shared_ptr<ChannelCore> channel_;
    const std::uint64_t join_;
    const protocol::Opcode id_kind_;
    const std::string id_;
    const Request request_;
    std::atomic<bool> is_finished_{false};
};
using RpcCallPtr = std::shared_ptr<RpcCall>;

/// The methods that a channel serves. Loop thread only.
class RpcService {
public:
    using Handlers = HandlerList<void(const RpcCallPtr&)>; // with one handler, or none

    /// Takes the place of what serves this method.
    void serve(const std::string& method, std::shared_ptr<Handlers::Slot>);
    /// Something has been served: from then on, requests are answered.
    bool is_serving() const noexcept { return is_serving_; }
    void receive(ChannelCore&, const Message&);
    void respond(Driver&, ChannelCore&, RpcAnswer);

    /// At once: what was asked over a join cannot be answered after it.
    void note_changed(ChannelState from, ChannelState to, bool is_connected) noexcept;
    /// Tries again what waited for the reply to the join.
    void retry_waiting(ChannelCore&);

    void sweep();
    void clear();

private:
    void refuse(ChannelCore&, const Message&, Error);

    std::map<std::string, Handlers, std::less<>> by_method_;
    std::vector<RpcAnswer> waiting_; // requests can come before the reply to the join, as broadcasts do
    std::uint64_t join_ = 0;         // one more after each end of a join
    Errc end_ = Errc::channel_closed;
    bool is_serving_ = false;
};

} // namespace phx::shell
