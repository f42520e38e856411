// Handlers on the thread of a GUI: `dispatch` is its post() (QMetaObject::invokeMethod, g_idle_add,
// PostMessage, ...).
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>

/// Stands for the event loop of a toolkit.
class Gui {
public:
    void post(phx::Function<void()> call) {
        const std::lock_guard lock(mutex_);
        calls_.push_back(std::move(call));
        changed_.notify_one();
    }
    void run() {
        while (is_open) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !calls_.empty(); });
            auto call = std::move(calls_.front());
            calls_.pop_front();
            lock.unlock();
            call();
        }
    }
    bool is_open = true;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<phx::Function<void()>> calls_;
};

int main() {
    ExampleServer server;
    Gui gui;
    phx::LoopOptions options;
    options.dispatch = [&gui](phx::Function<void()> call) { gui.post(std::move(call)); };
    phx::Loop loop(std::move(options));
    phx::Socket socket(loop, server.url());
    auto room = socket.channel("room:lobby");

    std::string label; // a widget: only the GUI's thread may touch it
    room.on("shout", [&](const phx::Message& message) {
        label = message.text();
        gui.is_open = false;
    });
    socket.connect();
    room.join().then([&](const phx::Result<phx::Reply>& joined) {
        label = joined ? "online" : joined.error().message;
        room.push("shout", {{"body", "hi"}});
    });
    gui.run();
    std::cout << label << '\n';
    return label == R"({"body":"hi"})" ? 0 : 1;
}
