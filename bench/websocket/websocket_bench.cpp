// Question: what do reading and writing WebSocket frames cost, per frame and per byte?
// Input: JSON-like ASCII text of 200 B, 2 kB and 20 kB; reading in chunks of 64 kB as they come from a
// socket. Limit: `copy`, the same bytes through memcpy alone.
#include "protocol/wire/utf8.hpp"
#include "protocol/wire/websocket_machine.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

namespace {

using namespace phx::protocol;

constexpr std::size_t chunk_bytes = 64u << 10;

std::string json_text(std::size_t size) {
    const std::string_view member = R"({"id":12345,"name":"a user","value":3.14},)";
    std::string text;
    while (text.size() < size) text += member;
    text.resize(size);
    return text;
}

/// Frames of at least 1 MB in all, so that most chunks begin and end within a frame.
std::string stream_of(WebSocketRole sender, std::size_t payload_bytes, std::size_t& frames) {
    FrameWriter writer(sender, {1, 2, 3, 4});
    const std::string payload = json_text(payload_bytes);
    std::string out;
    for (frames = 0; out.size() < (1u << 20); ++frames) writer.append(out, FrameOpcode::text, payload);
    return out;
}

void set_counters(benchmark::State& state, std::size_t frames, std::size_t bytes) {
    const auto rounds = static_cast<std::size_t>(state.iterations());
    state.SetItemsProcessed(static_cast<std::int64_t>(rounds * frames));
    state.SetBytesProcessed(static_cast<std::int64_t>(rounds * bytes));
    const auto total = static_cast<double>(rounds * frames);
    state.counters["s/frame"] =
        benchmark::Counter(total, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// The copy into the chunk stands for the read from the socket: the parser changes what it is given.
template <class Take> void for_each_chunk(const std::string& stream, std::string& chunk, Take take) {
    for (std::size_t at = 0; at < stream.size(); at += chunk_bytes) {
        const std::size_t count = std::min(chunk_bytes, stream.size() - at);
        std::memcpy(chunk.data(), stream.data() + at, count);
        take(std::span<char>(chunk.data(), count));
    }
}

void copy(benchmark::State& state) {
    std::size_t frames = 0;
    const std::string stream =
        stream_of(WebSocketRole::server, static_cast<std::size_t>(state.range(0)), frames);
    std::string chunk(chunk_bytes, '\0');
    for (auto _ : state) {
        for_each_chunk(stream, chunk, [](std::span<char> part) { benchmark::DoNotOptimize(part.data()); });
    }
    set_counters(state, frames, stream.size());
}

void parse(benchmark::State& state, WebSocketRole role) {
    std::size_t frames = 0, seen = 0;
    const auto sender = role == WebSocketRole::client ? WebSocketRole::server : WebSocketRole::client;
    const std::string stream = stream_of(sender, static_cast<std::size_t>(state.range(0)), frames);
    std::string chunk(chunk_bytes, '\0');
    WebSocketParser parser(role, 16u << 20);
    for (auto _ : state) {
        for_each_chunk(stream, chunk, [&](std::span<char> part) {
            parser.feed(part);
            while (const auto event = parser.next())
                seen += event->kind == WebSocketEvent::Kind::text ? 1 : 0;
        });
    }
    if (seen != frames * static_cast<std::size_t>(state.iterations())) state.SkipWithError("lost frames");
    set_counters(state, frames, stream.size());
}

void receive(benchmark::State& state) {
    std::size_t frames = 0, seen = 0;
    const std::string stream =
        stream_of(WebSocketRole::server, static_cast<std::size_t>(state.range(0)), frames);
    std::string chunk(chunk_bytes, '\0');
    WebSocketMachine machine({.role = WebSocketRole::client});
    for (auto _ : state) {
        for_each_chunk(stream, chunk, [&](std::span<char> part) {
            machine.feed(TimePoint{}, part);
            while (const auto report = machine.poll()) seen += report->index() == 0 ? 1 : 0;
        });
    }
    if (seen != frames * static_cast<std::size_t>(state.iterations())) state.SkipWithError("lost frames");
    set_counters(state, frames, stream.size());
}

/// Frames are built into one buffer until it holds a chunk, as between two writes.
template <class Build> void build_frames(benchmark::State& state, Build build) {
    const std::string payload = json_text(static_cast<std::size_t>(state.range(0)));
    std::string out;
    for (auto _ : state) {
        build(out, payload);
        if (out.size() >= chunk_bytes) out.clear();
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    set_counters(state, 1, payload.size());
}

void build(benchmark::State& state, WebSocketRole role) {
    FrameWriter writer(role, {1, 2, 3, 4});
    build_frames(state, [&writer](std::string& out, const std::string& payload) {
        writer.append(out, FrameOpcode::text, payload);
    });
}

void build_in_place(benchmark::State& state, WebSocketRole role, std::size_t expected_bytes) {
    FrameWriter writer(role, {1, 2, 3, 4});
    build_frames(state, [&](std::string& out, const std::string& payload) {
        const OpenFrame frame = writer.begin(out, expected_bytes != 0 ? expected_bytes : payload.size());
        out += payload;
        writer.end(out, frame, FrameOpcode::text);
    });
}

void send(benchmark::State& state) {
    const std::string payload = json_text(static_cast<std::size_t>(state.range(0)));
    WebSocketMachine machine({.role = WebSocketRole::client, .mask_seed = {1, 2, 3, 4}});
    for (auto _ : state) {
        if (!machine.send(Opcode::text, payload)) state.SkipWithError("refused");
        if (machine.output().size() >= chunk_bytes) machine.consume_output(machine.output().size());
    }
    set_counters(state, 1, payload.size());
}

void utf8(benchmark::State& state, std::string_view repeated) {
    std::string text;
    while (text.size() < 20'000) text += repeated;
    bool valid = true;
    for (auto _ : state) benchmark::DoNotOptimize(valid = valid && is_utf8(text));
    if (!valid) state.SkipWithError("not UTF-8");
    set_counters(state, 1, text.size());
}

void masking_key(benchmark::State& state) {
    MaskSource source({1, 2, 3, 4});
    for (auto _ : state) benchmark::DoNotOptimize(source.next());
}

void sizes(benchmark::internal::Benchmark* bench) { bench->Arg(200)->Arg(2000)->Arg(20000); }

BENCHMARK(copy)->Apply(sizes);
BENCHMARK_CAPTURE(parse, unmasked, WebSocketRole::client)->Apply(sizes);
BENCHMARK_CAPTURE(parse, masked, WebSocketRole::server)->Apply(sizes);
BENCHMARK(receive)->Apply(sizes);
BENCHMARK_CAPTURE(build, unmasked, WebSocketRole::server)->Apply(sizes);
BENCHMARK_CAPTURE(build, masked, WebSocketRole::client)->Apply(sizes);
BENCHMARK_CAPTURE(build_in_place, unmasked_guessed, WebSocketRole::server, 126)->Arg(100)->Apply(sizes);
BENCHMARK_CAPTURE(build_in_place, unmasked_known, WebSocketRole::server, 0)->Arg(100)->Apply(sizes);
BENCHMARK_CAPTURE(build_in_place, unmasked_largest, WebSocketRole::server, 65536)->Arg(100)->Apply(sizes);
BENCHMARK_CAPTURE(build_in_place, masked_guessed, WebSocketRole::client, 126)->Arg(100)->Apply(sizes);
BENCHMARK(send)->Apply(sizes);
BENCHMARK_CAPTURE(utf8, ascii, "plain ASCII text ");
BENCHMARK_CAPTURE(utf8, german, "gr\u00fc\u00dfe an alle sch\u00f6nen Leute ");
BENCHMARK_CAPTURE(utf8, chinese, "\u4f60\u597d\u4e16\u754c");
BENCHMARK(masking_key);

} // namespace

BENCHMARK_MAIN();
