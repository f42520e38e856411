#include "tests/client/attempt.hpp"
#include "tests/client/exchange.hpp"
#include "tests/support/silent_port.hpp"
#include "tests/support/tls_files.hpp"

#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

namespace phx::test {
namespace {

class Directory {
public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "phx-net-XXXXXX").string();
        if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary directory");
        path_ = pattern;
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string file(const char* name) const { return path_ + '/' + name; }

private:
    std::string path_;
};

SocketOptions at_unix_socket(const std::string& path) {
    SocketOptions options = quick();
    options.network.unix_socket = path;
    return options;
}

/// Nobody may open files meanwhile: all descriptors below `first` are in use.
class FullTable {
public:
    explicit FullTable(int first) {
        int last = -1;
        while (last < first) taken_.push_back(last = ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    ~FullTable() {
        for (const int descriptor : taken_) ::close(descriptor);
    }
    FullTable(const FullTable&) = delete;
    FullTable& operator=(const FullTable&) = delete;

private:
    std::vector<int> taken_;
};

TEST(Descriptors, ThatLibwebsocketsCannotHoldAreRefused) {
    ScriptedServer server;
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit low{100, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    Loop loop;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    const FullTable full(static_cast<int>(low.rlim_cur));
    SocketOptions options = quick();
    options.retry.max_attempts = 1;
    Socket socket(loop, server.url(), std::move(options));
    Inbox<Error> errors;
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::system_failure);
    EXPECT_NE(error->message.find("below 100"), error->message.npos) << error->message;
    EXPECT_TRUE(server.accept().wait_for_end());
}

TEST(UnixSocket, IsConnectedToInsteadOfTheHost) {
    const Directory directory;
    ScriptedServer server(ScriptedServer::UnixSocket{directory.file("phx.sock")});
    Loop loop;
    Socket socket(loop, "ws://phoenix.invalid:4000/other", at_unix_socket(directory.file("phx.sock")));
    Inbox<int> opened;
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    Peer peer = server.accept();
    const std::string request = peer.upgrade();
    EXPECT_TRUE(request.starts_with("GET /other/websocket?vsn=2.0.0 HTTP/1.1\r\n")) << request;
    EXPECT_EQ(Peer::header_of(request, "Host"), "phoenix.invalid:4000");
    EXPECT_TRUE(opened.first());
}

TEST(UnixSocket, CarriesTls) {
    const Directory directory;
    const TlsFiles files;
    ScriptedServer server(ScriptedServer::UnixSocket{directory.file("phx.sock")}, files.server_cert(),
                          files.server_key());
    SocketOptions options = at_unix_socket(directory.file("phx.sock"));
    options.tls.ca_file = files.ca();
    works(server, "wss://localhost/socket", std::move(options));
}

TEST(UnixSocket, SaysThatNobodyListens) {
    const Directory directory;
    const Error error = Attempt("ws://localhost/socket", at_unix_socket(directory.file("x.sock"))).error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_EQ(error.origin, Origin::transport);
    EXPECT_NE(
        error.message.find("localhost:80 at " + directory.file("x.sock") + ": no such file or directory"),
        error.message.npos)
        << error.message;
}

TEST(LocalAddress, IsWhereConnectionsComeFrom) {
    ScriptedServer server;
    for (const auto& [local, seen] : {std::pair("127.0.0.9", "127.0.0.9"), std::pair("lo", "127.0.0.1")}) {
        SocketOptions options = quick();
        options.network.local_address = local;
        Attempt attempt(server.url(), std::move(options));
        EXPECT_EQ(server.accept().address(), seen) << local;
    }
}

TEST(LocalAddress, LeavesOutAddressesOfAnotherFamily) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.network.local_address = "::1";
    const Error error = Attempt(server.url(), std::move(options)).error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("local_address has no address of this family"), error.message.npos)
        << error.message;
}

TEST(LocalAddress, SaysThatItIsNotOfThisMachine) {
    ScriptedServer server;
    for (const char* local : {"192.0.2.1", "no-such-interface", "not an address"}) {
        SocketOptions options = quick();
        options.network.local_address = local;
        const Error error = Attempt(server.url(), std::move(options)).error();
        EXPECT_EQ(error.code, Errc::connect_failed);
        EXPECT_NE(error.message.find("local_address"), error.message.npos) << error.message;
    }
}

TEST(Ipv6, IsConnectedTo) {
    std::optional<ScriptedServer> server;
    try {
        server.emplace("", "", ScriptedServer::Family::v6);
    } catch (const std::runtime_error& error) {
        GTEST_SKIP() << "no IPv6 loopback: " << error.what();
    }
    SocketOptions options = quick();
    options.network.local_address = "::1";
    Loop loop;
    Socket socket(loop, server->url("[::1]"), std::move(options));
    Inbox<int> opened;
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    Peer peer = server->accept();
    EXPECT_EQ(peer.address(), "::1");
    EXPECT_EQ(Peer::header_of(peer.upgrade(), "Host"), "[::1]:" + std::to_string(server->port()));
    EXPECT_TRUE(opened.first());
}

TEST(Stream, IsReadWhileTheServerTakesNothing) {
    // Two ends that both write much must not wait for each other.
    const TlsFiles files;
    ScriptedServer plain, secure(files.server_cert(), files.server_key());
    for (ScriptedServer* const server : {&plain, &secure}) {
        SocketOptions options = quick();
        options.tls.ca_file = files.ca();
        Loop loop;
        Socket socket(loop, server->url("localhost"), std::move(options));
        auto room = socket.channel("room:1");
        Inbox<int> heard;
        room.on("tick", [&](const Message&) { heard.add(1); });
        socket.connect();
        const Push joined = room.join();
        Peer peer = server->accept_upgraded();
        peer.accept_join();
        EXPECT_TRUE(result_of(joined));
        constexpr int count = 12; // of megabytes: more than the system buffers
        const std::string megabyte = '"' + std::string(1u << 20, 'x') + '"';
        for (int i = 0; i < count; ++i) room.push_text("big", megabyte);
        peer.wait_for_bytes();
        peer.broadcast("room:1", "tick", json::object());
        EXPECT_TRUE(heard.first());
        EXPECT_EQ(peer.expect("big").payload.get_ref<const std::string&>().size() + 2, megabyte.size());
    }
}

TEST(Connecting, CanBeLeftAtAnyTime) {
    // ~Loop asserts that nothing is left open.
    const SilentPort silent("127.0.0.1");
    ScriptedServer server;
    const std::string authority = "127.0.0.1:" + std::to_string(server.port());
    { const Attempt looking_up("ws://phoenix.invalid/socket"); }
    { const Attempt connecting("ws://127.0.0.1:" + std::to_string(silent.port()) + "/socket"); }
    for (const std::string& url :
         {"ws://" + authority, "wss://" + authority, std::string("ws://phoenix.invalid")}) {
        SocketOptions options = quick();
        if (url == "ws://phoenix.invalid") options.network.proxy = authority;
        std::optional<Attempt> attempt(std::in_place, url, std::move(options));
        Peer peer = server.accept();
        EXPECT_FALSE(peer.read_some().empty());
        attempt.reset();
        EXPECT_TRUE(peer.wait_for_end());
    }
}

/// The error of an attempt that is given a second: enough to get as far as it can, also under TSan on a busy
/// machine.
Error late(const std::string& url, SocketOptions options = quick()) {
    options.connect_timeout = 1000ms;
    return Attempt(url, std::move(options)).error();
}

void expect_timeout(const Error& error) {
    EXPECT_EQ(error.code, Errc::connect_failed) << error.message;
    EXPECT_NE(error.message.find("1000 ms"), error.message.npos) << error.message;
}

TEST(ConnectTimeout, CoversTcp) {
    const SilentPort silent("127.0.0.1");
    expect_timeout(late("ws://127.0.0.1:" + std::to_string(silent.port()) + "/socket"));
}

TEST(ConnectTimeout, CoversTls) {
    ScriptedServer silent; // accepted by the system, and that is all
    SocketOptions options = quick();
    options.tls.verify_peer = false; // else the attempt may be over while the authorities are still read
    expect_timeout(late("wss://127.0.0.1:" + std::to_string(silent.port()) + "/socket", std::move(options)));
    EXPECT_TRUE(silent.accept().wait_for_end());
}

TEST(ConnectTimeout, CoversTheProxy) {
    ScriptedServer silent;
    SocketOptions options = quick();
    options.network.proxy = "http://127.0.0.1:" + std::to_string(silent.port());
    expect_timeout(late("ws://phoenix.invalid/socket", std::move(options)));
    Peer peer = silent.accept();
    EXPECT_TRUE(peer.read_request().starts_with("CONNECT phoenix.invalid:80 "));
    EXPECT_TRUE(peer.wait_for_end());
}

TEST(ConnectTimeout, LosesNoRefusalWhoseBodyIsLate) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.connect_timeout = 300ms;
    Attempt attempt(server.url(), std::move(options));
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nhal");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::upgrade_refused) << error.message;
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_body, "hal");
}

TEST(ConnectTimeout, CoversTheUpgrade) {
    ScriptedServer silent;
    expect_timeout(late(silent.url()));
    Peer peer = silent.accept();
    peer.read_request();
    EXPECT_TRUE(peer.wait_for_end());
}

} // namespace
} // namespace phx::test
