#include "args.hpp"
#include "output.hpp"
#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "verbs.hpp"

#include <iostream>
#include <memory>

namespace phx::cli {
namespace {

struct Decode {
    std::vector<std::string> frames = {};
    std::string vsn = "2.0.0";
    bool to_server = false;
    bool hex = false;
};

std::optional<std::string> from_hex(std::string_view text) {
    std::string bytes;
    int high = -1;
    for (const char c : text) {
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        if (digit < 0) return {};
        if (high < 0) {
            high = digit;
        } else {
            bytes += static_cast<char>(high << 4 | digit);
            high = -1;
        }
    }
    if (high >= 0) return {};
    return bytes;
}

void member(std::string& out, std::string_view name, std::string_view json) {
    if (out.size() > 1) out += ',';
    protocol::append_json_string(out, name);
    out += ':';
    out += json;
}

std::string json_string(std::string_view text) {
    std::string out;
    protocol::append_json_string(out, text);
    return out;
}

std::string as_json(const protocol::FrameView& frame) {
    std::string out = "{";
    member(out, "join_ref", frame.join_ref ? frame.join_ref->text : "null");
    member(out, "ref", frame.ref ? frame.ref->text : "null");
    member(out, "topic", frame.topic_token ? std::string(frame.topic_token->text) : json_string(frame.topic));
    member(out, "event", frame.event_token ? std::string(frame.event_token->text) : json_string(frame.event));
    member(out, "kind", json_string(protocol::to_string(protocol::event_kind(frame))));
    if (frame.user_event) member(out, "user_event", json_string(*frame.user_event));
    if (!frame.metadata.empty()) member(out, "metadata", frame.metadata);
    if (frame.status) member(out, "status", json_string(*frame.status));
    if (frame.kind == protocol::Opcode::binary) {
        member(out, "payload_base64", json_string(protocol::base64_encode(frame.payload)));
    } else {
        member(out, "payload", frame.payload.empty() ? std::string_view("null") : frame.payload);
    }
    out += '}';
    for (auto& c : out) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return out;
}

ExitCode run(const Decode& args) {
    const auto vsn = protocol::parse_vsn(args.vsn);
    if (!vsn) usage_error("--vsn: " + vsn.error().message);
    const auto direction = args.to_server ? protocol::Direction::to_server : protocol::Direction::to_client;
    std::string scratch;
    std::size_t number = 0;
    const auto one = [&](const std::string& text) {
        ++number;
        std::string data = text;
        auto opcode = protocol::Opcode::text;
        const bool prefixed = text.starts_with("hex ");
        if (args.hex || prefixed) {
            const auto bytes = from_hex(std::string_view(text).substr(prefixed ? 4 : 0));
            if (!bytes) {
                std::cerr << "phx-cli: frame " << number << ": not hexadecimal\n";
                return false;
            }
            data = *bytes;
            opcode = protocol::Opcode::binary;
        }
        const auto frame = protocol::decode(*vsn, direction, opcode, data, scratch);
        if (!frame) {
            std::cerr << "phx-cli: frame " << number << ": " << frame.error().message << '\n';
            return false;
        }
        std::cout << as_json(*frame) << '\n' << std::flush;
        return true;
    };
    bool good = true;
    for (const auto& frame : args.frames) good = one(frame) && good;
    if (args.frames.empty()) {
        for (std::string line; std::getline(std::cin, line);) good = one(line) && good;
    }
    if (!std::cout) {
        std::cerr << "phx-cli: cannot write to stdout\n";
        return ExitCode::failure;
    }
    return good ? ExitCode::ok : ExitCode::failure;
}

} // namespace

void add_decode(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Decode>();
    auto* verb = app.add_subcommand("decode", "show frames of the wire as JSON, one line each");
    take_words(*verb, "FRAME",
               "frames; without any, each line of standard input is one; 'hex 00ab..' is binary");
    verb->add_option("--vsn", args->vsn, "protocol version, 1.0.0 or 2.0.0")->capture_default_str();
    verb->add_flag("--to-server", args->to_server, "the frames travel from the client to the server");
    verb->add_flag("--hex", args->hex, "every frame is binary, written in hexadecimal");
    verb->callback([args, verb, &exit_code] {
        args->frames = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
