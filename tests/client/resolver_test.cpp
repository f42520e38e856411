#include "tests/client/client_fixture.hpp"

#include <uv.h>

namespace phx::test {
namespace {

/// All threads of libuv, which are shared by the loops of a program, wait: as for a DNS server that is
/// silent.
class BusyThreads {
public:
    BusyThreads() {
        uv_loop_init(&loop_);
        for (uv_work_t& work : works_) {
            work.data = this;
            uv_queue_work(
                &loop_, &work, [](uv_work_t* w) { static_cast<BusyThreads*>(w->data)->released_.wait(); },
                [](uv_work_t*, int) {});
        }
    }
    ~BusyThreads() {
        release_.set_value();
        uv_run(&loop_, UV_RUN_DEFAULT);
        uv_loop_close(&loop_);
    }
    BusyThreads(const BusyThreads&) = delete;
    BusyThreads& operator=(const BusyThreads&) = delete;

private:
    uv_loop_t loop_{};
    std::vector<uv_work_t> works_ = std::vector<uv_work_t>(128); // four threads by default
    std::promise<void> release_;
    std::shared_future<void> released_ = release_.get_future().share();
};

TEST(Resolver, NeverLetsANumericAddressWaitForLookUps) {
    ScriptedServer server;
    const BusyThreads busy;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    Inbox<int> opened;
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    const Peer peer = server.accept_upgraded();
    EXPECT_TRUE(opened.first());
}

} // namespace
} // namespace phx::test
