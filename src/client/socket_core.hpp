#pragma once

#include "phx/channel.hpp"
#include "phx/function.hpp"
#include "phx/message.hpp"
#include "phx/options.hpp"
#include "phx/socket.hpp"
#include "protocol/client/outputs.hpp"
#include "src/client/handler_list.hpp"
#include "src/client/rpc_service.hpp"
#include "src/client/socket_counters.hpp"
#include "src/loop/loop_core.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::shell {

class Driver;
class SocketCore;

struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

/// A layer above a channel (Supabase's): told before the handlers are, and on the loop thread whatever
/// LoopOptions::dispatch says. It must not throw.
class ChannelObserver {
public:
    virtual ~ChannelObserver() = default;
    virtual void channel_joined(const Reply&) = 0;
    virtual void channel_received(const Message&) = 0;
    virtual void channel_changed(ChannelState from, ChannelState to, const Error* why) = 0;
    virtual void channel_missed(Millis offline) = 0;
    /// The channel or its socket is gone: the last call.
    virtual void channel_ended() = 0;
};

/// What the handles of one channel share. The first part belongs to every thread, the second to the loop
/// thread.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
public:
    using MessageHandlers = HandlerList<void(const Message&)>;

    ChannelCore(std::shared_ptr<SocketCore> socket, std::string topic, std::string join_params,
                ChannelOptions wanted)
        : params(std::move(join_params)), options(std::move(wanted)), socket_(std::move(socket)),
          topic_(std::move(topic)) {}

    SocketCore& socket() const noexcept { return *socket_; }
    const std::shared_ptr<SocketCore>& shared_socket() const noexcept { return socket_; }
    const std::string& topic() const noexcept { return topic_; }
    std::atomic<ChannelState> state{ChannelState::closed};

    // ---- loop thread
    protocol::ChannelId id{};
    bool is_known = false;   // to the driver, under `id`
    bool is_removed = false; // for good: handlers that come late are dropped
    std::string params;      // of its joins until a provider is set; for the driver, when it gets to know it
    ChannelOptions options;
    std::unordered_map<std::string, MessageHandlers, StringHash, std::equal_to<>> by_event;
    MessageHandlers any;
    HandlerList<void(ChannelState, ChannelState, const Error*)> changed;
    HandlerList<void(const Reply&)> joined;
    HandlerList<void(Millis)> gap;
    std::shared_ptr<ChannelObserver> observer;
    RpcService rpc;
    Provider<std::string> params_provider;
    std::uint64_t provider_number = 0; // answers of an older one are ignored
    bool asks_params = false;

    void sweep();
    void clear_handlers();

private:
    const std::shared_ptr<SocketCore> socket_;
    const std::string topic_;
};

/// What a Socket and the handles made from it share; handles keep it alive after the Socket.
class SocketCore : public std::enable_shared_from_this<SocketCore> {
public:
    explicit SocketCore(std::shared_ptr<LoopCore> loop) : loop_(std::move(loop)) {}

    // ---- any thread
    LoopCore& loop() const noexcept { return *loop_; }
    std::atomic<SocketState> state{SocketState::idle};
    HandlerIds handlers;

    /// Runs `task(driver)` on the loop thread; the driver is null when the socket is gone. False if the loop
    /// is. What a handler posts runs before the next frame is looked at: a handler that is added when the
    /// join is answered sees what came behind the answer.
    template <class Task> bool post(Task task) {
        auto command = [self = shared_from_this(), task = std::move(task)]() mutable { task(self->driver); };
        if (!runs_commands()) return loop_->post(std::move(command));
        if (is_refusing_) return false;
        commands_.push_back(std::move(command));
        schedule_commands();
        return true;
    }
    /// The Socket is going: no handler is called any more, and nothing is accepted to be sent.
    void close_handles() {
        is_closed_ = true;
        handlers.kill_all();
    }
    /// The Socket is gone, or going.
    bool is_closed() const noexcept { return is_closed_; }
    /// The last handlers run, and what they ask for is refused: nobody is called back any more.
    bool is_refusing() const noexcept { return loop_->on_loop_thread() && is_refusing_; }
    /// Makes a handler, and has `add(slot)` called on the loop thread, if the handler lives that long.
    template <class Slot, class Handler, class Add> HandlerId add_handler(Handler handler, Add add) {
        auto slot = std::make_shared<Slot>(std::move(handler));
        const HandlerId id = handlers.add(slot);
        post([self = shared_from_this(), slot = std::move(slot), add = std::move(add)](Driver* has_driver) {
            if (has_driver && slot->is_alive && !self->is_closed()) add(slot);
        });
        return id;
    }
    /// The channel of the topic: the one that is there, or a new one with these params and options.
    std::shared_ptr<ChannelCore> channel(std::string topic, std::string params, ChannelOptions);
    void forget(const ChannelCore&);
    /// For on_error.
    void report(Error);
    /// Tells the handlers of a list: here, or where the loop dispatches.
    template <class List, class... Values> void notify(List& list, const Values&... values) {
        if (list.empty()) return;
        if (!loop_->dispatches())
            return list.run([this](auto&& code) { this->run_handler(code); }, values...);
        loop_->dispatch(
            list.bind([self = shared_from_this()](auto&& code) { self->run_handler(code); }, values...));
    }
    template <class Code> void run_handler(Code&& code) noexcept {
        if (loop_->on_loop_thread()) loop_->count_handler();
        guard(code);
    }
    /// Runs code of the user: what it throws is reported.
    template <class Code> void guard(Code&& code) noexcept {
        try {
            code();
        } catch (const std::exception& e) {
            report_exception(e.what());
        } catch (...) {
            report_exception("it is no std::exception");
        }
    }
    static Error closed_error();

    SocketCounters counters;

    // ---- loop thread
    Driver* driver = nullptr;
    HandlerList<void()> opened;
    HandlerList<void(std::uint16_t, std::string_view)> closed;
    HandlerList<void(const Error&)> failed;
    HandlerList<void(const Message&)> message;
    HandlerList<void(SocketState, SocketState)> changed;
    HandlerList<void(HeartbeatStatus, Micros)> heartbeat;
    HandlerList<void()> drained;

    /// Runs what the loop thread has posted so far. True if there was anything.
    bool run_commands();
    /// The driver runs the commands itself, once it is done with its round.
    bool is_in_round = false;
    /// To be called when a round has ended before all commands were run.
    void schedule_commands();

    void sweep();
    /// Ends all handlers and lets go of the channels: no handler runs after it, but those of pushes.
    void detach();
    /// Runs commands that find no driver, and what the handlers of their pushes post, until
    /// end_last_commands().
    void begin_last_commands() noexcept { is_in_last_commands_ = true; }
    void end_last_commands();

private:
    /// Here and now, for the driver or in its stead.
    bool runs_commands() const noexcept {
        return loop_->on_loop_thread() && (driver || is_in_last_commands_);
    }
    void report_exception(const char* what) noexcept;
    void deliver(const Error&) noexcept;

    const std::shared_ptr<LoopCore> loop_;
    std::mutex mutex_; // of channels_
    std::unordered_map<std::string, std::shared_ptr<ChannelCore>, StringHash, std::equal_to<>> channels_;
    std::vector<Function<void()>> commands_; // of the loop thread
    std::atomic<bool> is_closed_{false};
    bool is_in_last_commands_ = false;
    bool is_refusing_ = false;
    bool is_scheduled_ = false;
    bool is_delivering_error_ = false;
};

} // namespace phx::shell
