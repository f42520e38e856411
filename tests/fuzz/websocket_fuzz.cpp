// One stream of bytes, read whole and in chunks that the input chooses: the events must be the same, and the
// memory must stay bounded. The first byte chooses role and limit, the second the lengths of the chunks.
#include "protocol/wire/websocket_machine.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace phx::protocol;

struct Seen {
    std::vector<std::string> events;
    std::string output;
    friend bool operator==(const Seen&, const Seen&) = default;
};

void require(bool condition) {
    if (!condition) std::abort();
}

/// Memory of its own and of just its size, so that the sanitizer sees every step beyond.
struct Chunk {
    explicit Chunk(std::string_view from) : size(from.size()), bytes(std::make_unique<char[]>(size)) {
        from.copy(bytes.get(), size);
    }
    std::span<char> span() { return {bytes.get(), size}; }

    std::size_t size;
    std::unique_ptr<char[]> bytes;
};

std::string line(char kind, std::uint16_t code, std::string_view payload) {
    return kind + std::to_string(code) + ' ' + std::string(payload);
}

class ParserRun {
public:
    ParserRun(WebSocketRole role, std::size_t limit) : parser_(role, limit), limit_(limit) {}

    void feed(std::string_view part) {
        Chunk chunk(part);
        parser_.feed(chunk.span());
        while (const auto event = parser_.next()) {
            require(event->kind == WebSocketEvent::Kind::failure ||
                    event->payload.size() <= std::max<std::size_t>(limit_, 125));
            seen.events.push_back(
                line("tbpoxf"[static_cast<std::size_t>(event->kind)], event -> code, event -> payload));
        }
        require(parser_.buffer_bytes() <= 2 * limit_ + 64);
    }

    Seen seen;

private:
    WebSocketParser parser_;
    std::size_t limit_;
};

class MachineRun {
public:
    MachineRun(WebSocketRole role, std::size_t limit)
        : machine_({.role = role, .max_message_bytes = limit, .max_pending_pongs = 4}) {}

    void feed(std::string_view part) {
        Chunk chunk(part);
        machine_.feed(TimePoint{}, chunk.span());
        drain();
    }
    void end() {
        machine_.handle_eof(TimePoint{});
        drain();
        require(closed_ == 1);
        require(!machine_.next_timeout());
        require(machine_.output().size() < 6 * 135);
        seen.output = machine_.output();
    }

    Seen seen;

private:
    void drain() {
        while (const auto report = machine_.poll()) {
            require(closed_ == 0);
            std::visit([this](const auto& r) { add(r); }, *report);
        }
    }
    void add(const websocket::Message& m) {
        seen.events.push_back(line('m', static_cast<std::uint16_t>(m.kind), m.payload));
    }
    void add(const websocket::Pong& p) { seen.events.push_back(line('o', 0, p.payload)); }
    void add(const websocket::Failed& f) { seen.events.push_back(line('f', f.code, f.message)); }
    void add(const websocket::Closed& c) {
        ++closed_;
        seen.events.push_back(line(c.ending == websocket::Ending::clean ? 'c' : 'u', c.code, c.reason));
    }

    WebSocketMachine machine_;
    int closed_ = 0;
};

/// Lengths of 0 to 31 bytes from a small generator: a byte of the input decides them all.
template <class Run> void feed_in_chunks(Run& run, std::string_view stream, std::uint32_t seed) {
    while (!stream.empty()) {
        seed = seed * 1664525 + 1013904223;
        const std::size_t length = std::min<std::size_t>(seed >> 24 & 31, stream.size());
        run.feed(stream.substr(0, length));
        stream.remove_prefix(length);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto role = (data[0] & 1) == 0 ? WebSocketRole::client : WebSocketRole::server;
    const std::size_t limit = (data[0] & 2) == 0 ? 1000 : std::size_t{16} << 20;
    const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);

    ParserRun whole(role, limit), chunked(role, limit);
    whole.feed(stream);
    feed_in_chunks(chunked, stream, data[1]);
    require(whole.seen == chunked.seen);

    MachineRun whole_machine(role, limit), chunked_machine(role, limit);
    whole_machine.feed(stream);
    whole_machine.end();
    feed_in_chunks(chunked_machine, stream, data[1]);
    chunked_machine.end();
    require(whole_machine.seen == chunked_machine.seen);
    return 0;
}
