// phx-conformance-server: the application of the recordings in tests/vectors/phoenix, served by phx::server.

#include "tests/conformance/application.hpp"
#include "tests/support/token_file.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

struct Address {
    std::string host;
    std::uint16_t port;
};

std::optional<Address> parse_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return Address{std::string(text.substr(0, colon)), port};
}

int usage(const char* why) {
    std::fprintf(stderr,
                 "phx-conformance-server: %s\nusage: phx-conformance-server --listen HOST:PORT "
                 "[--jwt-secret-file FILE]\n",
                 why);
    return 2;
}

int fail(const std::string& why) {
    std::fprintf(stderr, "phx-conformance-server: %s\n", why.c_str());
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    const bool has_tokens = argc == 5 && std::string_view(argv[3]) == "--jwt-secret-file";
    if ((argc != 3 && !has_tokens) || std::string_view(argv[1]) != "--listen")
        return usage("--listen is needed");
    const std::optional<Address> address = parse_address(argv[2]);
    if (!address) return usage("--listen wants HOST:PORT, such as 127.0.0.1:4000");
    phx::server::Options options = phx::conformance::application_options(address->host, address->port);
    if (has_tokens) {
        options.tokens = phx::test::tokens_by_secret_file(argv[4]);
        if (!options.tokens) return fail("cannot read " + std::string(argv[4]));
    }

    // Blocked before the server's thread starts, so that it inherits the mask and sigwait() gets them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    phx::server::Server server(std::move(options));
    phx::conformance::add_channels(server);
    const phx::Result<std::uint16_t> port = server.start();
    if (!port) return fail(port.error().message);
    std::printf("listening on %s:%u\n", address->host.c_str(), static_cast<unsigned>(*port));
    std::fflush(stdout);
    int received = 0;
    sigwait(&signals, &received);
    server.stop();
    return 0;
}
