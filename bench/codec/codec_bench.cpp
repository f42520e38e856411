// Question: what does it cost to read and to write one frame, with all of it validated? Rivals: nlohmann's
// DOM in this program, V8 in codec_v8.mjs on the same frames (--frames FILE writes them). Unit: nanoseconds
// per frame.
#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

namespace {

using namespace phx::protocol;
using Json = nlohmann::json;

constexpr std::string_view head = R"(["1","42","room:lobby","new_msg",)";

/// Records as applications send them: short names, short texts, numbers of varying length, a little nesting.
std::string record(std::size_t i) {
    static constexpr const char* names[] = {"alice", "bob", "charlotte", "dee", "eve-lynn", "\u00e9tienne"};
    static constexpr const char* texts[] = {
        "hi", "see you at eight", "ok, on my way", "that is \\\"fine\\\"", "no", "ping?"};
    const std::size_t mix = i * 2654435761u;
    std::string out = "{\"id\":" + std::to_string(1000 + i * 7) + ",\"user\":\"" + names[mix % 6] +
                      "\",\"text\":\"" + texts[(mix >> 8) % 6] +
                      "\",\"x\":" + std::to_string(static_cast<double>(mix % 100000) / 100) +
                      ",\"seen\":" + ((mix >> 5) % 2 == 0 ? "true" : "false") + ",\"tags\":[" +
                      std::to_string(mix % 10) + "," + std::to_string(mix % 1000) + "]}";
    return out;
}

/// An object whose v2 frame has exactly `size` bytes.
std::string payload_of(std::size_t size) {
    const std::size_t target = size - head.size() - 1;
    std::string list = "{\"n\":[";
    for (std::size_t i = 0;; ++i) {
        std::string next = record(i);
        if (i != 0) next.insert(next.begin(), ',');
        if (list.size() + next.size() + std::strlen("],\"pad\":\"\"}") > target) break;
        list += next;
    }
    if (list.size() == std::strlen("{\"n\":["))
        list = "{\"id\":7,\"user\":\"alice\",\"text\":\"see you at eight\",\"n\":[1,20";
    list += "],\"pad\":\"";
    return list + std::string(target - list.size() - 2, 'p') + "\"}";
}

const std::string& payload(std::int64_t size) {
    static std::map<std::int64_t, std::string> made;
    std::string& text = made[size];
    if (text.empty()) text = payload_of(static_cast<std::size_t>(size));
    return text;
}

std::string frame(std::int64_t size) { return std::string(head) + payload(size) + "]"; }

void decode_v2(benchmark::State& state) {
    const std::string text = frame(state.range(0));
    std::string scratch;
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(Vsn::v2, Direction::to_client, Opcode::text, text, scratch));
}

void decode_v1(benchmark::State& state) {
    const std::string v2 = frame(state.range(0));
    std::string scratch, text;
    if (!encode(Vsn::v1, Direction::to_client,
                *decode(Vsn::v2, Direction::to_client, Opcode::text, v2, scratch), text))
        std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(Vsn::v1, Direction::to_client, Opcode::text, text, scratch));
}

void decode_reply(benchmark::State& state) {
    std::string text, scratch;
    const Address address{"room:lobby", JsonToken{"\"1\""}, JsonToken{"\"42\""}};
    if (!build_reply(Vsn::v2, address, "ok", Opcode::text, payload(state.range(0)), text)) std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(Vsn::v2, Direction::to_client, Opcode::text, text, scratch));
}

FrameView push_of(const std::string& body, Opcode kind) {
    FrameView view;
    view.join_ref = JsonToken{"\"1\""};
    view.ref = JsonToken{"\"42\""};
    view.topic = "room:lobby";
    view.event = "new_msg";
    view.kind = kind;
    view.payload = body;
    return view;
}

template <Vsn vsn, Opcode kind> void encode_push(benchmark::State& state) {
    const FrameView view = push_of(payload(state.range(0)), kind);
    std::string out;
    for (auto _ : state) {
        out.clear();
        benchmark::DoNotOptimize(encode(vsn, Direction::to_server, view, out));
        benchmark::ClobberMemory();
    }
}

void decode_kind0(benchmark::State& state) {
    std::string bytes, scratch;
    if (!encode(Vsn::v2, Direction::to_server, push_of(payload(state.range(0)), Opcode::binary), bytes))
        std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(Vsn::v2, Direction::to_server, Opcode::binary, bytes, scratch));
}

void decode_kind4(benchmark::State& state) {
    std::string bytes, scratch;
    if (!build_user_broadcast(Vsn::v2, "realtime:lobby", "cursor", "", Opcode::text, payload(state.range(0)),
                              bytes))
        std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(Vsn::v2, Direction::to_client, Opcode::binary, bytes, scratch));
}

void nlohmann_parse(benchmark::State& state) {
    const std::string text = frame(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(Json::parse(text));
}

void nlohmann_dump(benchmark::State& state) {
    const Json json = Json::parse(frame(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(json.dump());
}

void sizes(benchmark::internal::Benchmark* bench) { bench->Arg(126)->Arg(1027)->Arg(9974)->Arg(100018); }

BENCHMARK(decode_v2)->Apply(sizes);
BENCHMARK(decode_v1)->Apply(sizes);
BENCHMARK(decode_reply)->Apply(sizes);
BENCHMARK(decode_kind0)->Apply(sizes);
BENCHMARK(decode_kind4)->Apply(sizes);
BENCHMARK_TEMPLATE(encode_push, Vsn::v2, Opcode::text)->Name("encode_v2")->Apply(sizes);
BENCHMARK_TEMPLATE(encode_push, Vsn::v1, Opcode::text)->Name("encode_v1")->Apply(sizes);
BENCHMARK_TEMPLATE(encode_push, Vsn::v2, Opcode::binary)->Name("encode_kind0")->Apply(sizes);
BENCHMARK(nlohmann_parse)->Apply(sizes);
BENCHMARK(nlohmann_dump)->Apply(sizes);

} // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--frames") {
        std::ofstream file(argv[2]);
        for (const std::int64_t size : {126, 1027, 9974, 100018}) file << frame(size) << '\n';
        return file.good() ? 0 : 1;
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
