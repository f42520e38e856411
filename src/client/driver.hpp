#pragma once

#include "phx/options.hpp"
#include "protocol/client/client_machine.hpp"
#include "protocol/client/transport_choice.hpp"
#include "src/client/log.hpp"
#include "src/client/push_state.hpp"
#include "src/client/socket_connection.hpp"
#include "src/client/socket_core.hpp"
#include "src/loop/loop_core.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace phx::shell {

protocol::BackoffConfig backoff_of(const Ladder&);

using ChannelPtr = std::shared_ptr<ChannelCore>;
using PushPtr = std::shared_ptr<PushState>;

/// Carries out what the ClientMachine orders and tells handlers what it reports. Loop thread only. It lives
/// until its connections have ended, which may be after the Socket.
class Driver final : public LoopMember,
                     public SocketConnection::Listener,
                     public std::enable_shared_from_this<Driver> {
public:
    /// `endpoint` is the URL as the user gave it.
    Driver(std::shared_ptr<SocketCore>, std::string endpoint, SocketSetup);
    ~Driver() override;

    // ---- what handles post
    void connect();
    void disconnect(std::uint16_t code, std::string_view reason);
    void reconnect_now();
    void add_channel(ChannelCore&);
    void set_params(ChannelCore&, Provider<std::string>);
    void remove_channel(ChannelCore&);
    void join(ChannelCore&, const PushPtr&, Duration timeout);
    void leave(ChannelCore&, const PushPtr&, Duration timeout);
    void push(ChannelCore&, const PushPtr&, const protocol::PushContent&, protocol::Expects,
              Duration timeout);
    void send(ChannelCore&, std::string_view event, Opcode, std::string_view payload);
    Result<void> respond(ChannelCore&, const RpcAnswer&);
    void ping(const PushPtr&);
    void cancel(PushState&);
    /// The Socket is going: finishes its pushes, ends its handlers, closes, and leaves the loop when that is
    /// done.
    void detach();
    /// To be called when the machine was: carries out its orders and, unless a round is under way that will
    /// do so, runs handlers and what they post.
    void pump();

    void loop_stopping() override;

private:
    /// What the user may decide otherwise than the machine.
    struct ConfirmReconnect {
        Error why;
    };
    struct ConfirmRejoin {
        protocol::ChannelId channel;
        Error why;
    };
    /// What the fallback to long poll asks of the machine, once it is at rest.
    struct SkipWait {};
    struct ProveConnection {};
    /// What is found out before dialling, for one attempt. A question that is out when the next attempt
    /// begins is not asked again: its answer is taken for that one.
    struct Preparation {
        protocol::ConnId conn{};
        std::optional<Result<std::vector<protocol::Param>>> params = {};
        std::optional<Result<std::string>> token = {};
        bool asks_params = false;
        bool asks_token = false;
    };

    void connection_opened(protocol::ConnId) override;
    void connection_message(protocol::ConnId, Opcode, std::string_view) override;
    void connection_wrote(std::size_t waiting) override;
    void connection_closed(protocol::ConnId, protocol::CloseInfo) override;

    void drain();
    void carry_out(protocol::Output&);
    void note(const protocol::event::SocketChanged&);
    void note(const protocol::event::ChannelChanged&);
    void note(const protocol::event::PushFinished&);
    void note(const protocol::event::HeartbeatChanged&);
    void note(const protocol::event::FrameDropped&);
    template <class Other> void note(const Other&) {}
    void open(const protocol::act::Open&);
    std::unique_ptr<SocketConnection> make_connection(const protocol::act::Open&);
    void follow(const protocol::event::SocketChanged&);
    void fall_back();
    void send(const protocol::act::Send&);
    void run_handlers();
    /// Lets go of removed channels, once their last news have been told.
    void drop_removed();
    bool answer_questions();
    void answer(const protocol::act::Prepare&);
    void answer(const protocol::act::PrepareJoin&);
    void answer(const ConfirmReconnect&);
    void answer(const ConfirmRejoin&);
    void answer(const SkipWait&);
    void answer(const ProveConnection&);
    template <class T> void ask(Provider<T>&, void (Driver::*take)(Result<T>));
    void ask_params(ChannelCore&);
    void take_join_params(protocol::ChannelId, std::uint64_t number, Result<std::string>);
    static bool is_cancelled(PushState&);
    void take_params(Result<std::vector<protocol::Param>>);
    void take_token(Result<std::string>);
    void finish_preparing();
    void forget_answers();
    Result<protocol::Target> target();
    bool allows(Function<bool(const Error&)>& predicate, const Error&);

    void tell(protocol::event::SocketChanged&);
    void tell(protocol::event::ChannelChanged&);
    void tell(protocol::event::Joined&);
    void tell(protocol::event::MessageArrived&);
    void tell(protocol::event::Unclaimed&);
    void tell(protocol::event::PushFinished&);
    void tell(protocol::event::HeartbeatChanged&);
    void tell(protocol::event::FrameDropped&);
    void tell(protocol::event::Gap&);
    template <class Other> void tell(Other&) {} // orders

    template <class Call> static void tell_observer(const ChannelCore& channel, Call call) {
        if (const auto observer = channel.observer) call(*observer); // it may let go of itself
    }
    void note_frame(Direction, Opcode, std::string_view frame);
    /// The logger is the user's: it may be gone with the Socket.
    template <class... What> void log(const What&... what) {
        if (!core_->is_closed()) log_.note(what...);
    }
    void wait_for(protocol::PushId, const PushPtr&);
    SocketConnection* find(protocol::ConnId) noexcept;
    ChannelCore* find(protocol::ChannelId) noexcept;
    void leave_loop_when_done();

    LoopCore& loop_;
    const std::shared_ptr<SocketCore> core_;
    const std::string endpoint_;
    SocketSetup setup_;
    protocol::ClientMachine machine_;
    LoopTimer timer_;
    protocol::TransportChoice choice_;
    LoopTimer fallback_timer_;
    protocol::ConnId dialled_{};                                 // the latest
    std::vector<std::unique_ptr<SocketConnection>> connections_; // more than one while an old one closes
    std::unordered_map<protocol::ChannelId, ChannelPtr> channels_;
    std::vector<protocol::ChannelId> removed_; // still in channels_
    std::unordered_map<protocol::PushId, PushPtr> pushes_;
    std::vector<protocol::Output> news_; // of one round; views in it live until the next call of the machine
    std::vector<std::variant<protocol::act::Prepare, protocol::act::PrepareJoin, ConfirmReconnect,
                             ConfirmRejoin, SkipWait, ProveConnection>>
        questions_;
    Preparation preparation_;
    std::uint64_t session_ = 0; // from one disconnect to the next: answers of an older one are ignored
    bool was_open_ = false;     // and its end has not been told
    Log log_;
    bool is_choked_ = false; // more waits for the network than on_drain is about
    bool is_detached_ = false;
};

} // namespace phx::shell
