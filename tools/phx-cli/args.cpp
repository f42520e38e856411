#include "args.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/protocol/endpoint.hpp"
#include "phx/protocol/topic.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

namespace phx::cli {

void usage_error(const std::string& message) {
    std::cerr << "phx-cli: " << message << '\n';
    std::exit(static_cast<int>(ExitCode::usage));
}

void add_connect_options(CLI::App& verb, ConnectArgs& args) {
    verb.add_option(
        "--token", args.token,
        "token of the connection; better in the environment variable PHX_TOKEN, since ps shows arguments");
    verb.add_option("--param", args.params, "query parameter of the connect, as NAME=VALUE")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    verb.add_option("-H,--header", args.headers, "header of the upgrade request, as 'Name: value'")
        ->type_name("HEADER")
        ->allow_extra_args(false);
    verb.add_option("--vsn", args.vsn, "protocol version, 1.0.0 or 2.0.0")->capture_default_str();
    verb.add_option("--cacert", args.ca_file, "PEM file of the authorities to trust instead of the system's");
    verb.add_option("--cert", args.cert_file, "PEM file of our own certificate");
    verb.add_option("--key", args.key_file, "PEM file of its key");
    verb.add_flag("-k,--insecure", args.insecure, "accept any certificate");
    verb.add_option("--proxy", args.proxy,
                    "HTTP proxy, http://HOST:PORT, instead of the environment's; '' for none");
    verb.add_flag("--supabase", args.supabase,
                  "topics get the prefix realtime: (by itself for URLs with /realtime/v1 or apikey)");
    verb.add_flag("--no-reconnect", args.no_reconnect, "end when the connection is lost");
    verb.add_flag("--wait", args.wait_for_server, "keep trying until the server is up");
    verb.add_option("--connect-timeout", args.connect_timeout, "for name, TCP, TLS and upgrade together")
        ->capture_default_str();
    verb.add_option("--timeout", args.timeout, "how long to wait (10s, 500ms, 2m)")->type_name("DURATION");
    verb.add_flag("-v,--verbose", args.verbose, "show the frames of both directions on stderr");
    verb.add_flag("-q,--quiet", args.quiet, "say nothing on stderr but errors");
    auto* json =
        verb.add_flag("--json", args.as_json, "print NDJSON: ts topic event ref join_ref status payload");
    verb.add_flag("--raw", args.as_raw, "print payloads alone")->excludes(json);
}

namespace {

class VerbFormatter : public CLI::Formatter {
public:
    VerbFormatter(std::string words, std::string description)
        : words_(std::move(words)), description_(std::move(description)) {}
    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string usage =
            "Usage: " + (name.empty() ? app->get_name() : name) + " " + words_ + " [OPTIONS]\n";
        if (!description_.empty()) usage += description_ + "\n";
        return usage;
    }

private:
    std::string words_, description_;
};

} // namespace

void take_words(CLI::App& verb, std::string names, std::string description) {
    verb.allow_extras();
    verb.formatter(std::make_shared<VerbFormatter>(std::move(names), std::move(description)));
}

std::vector<std::string> words_of(const CLI::App& verb) {
    auto words = verb.remaining();
    for (const auto& word : words) {
        const bool number = word.size() > 1 && word[1] >= '0' && word[1] <= '9';
        if (word.size() > 1 && word[0] == '-' && !number)
            usage_error("unknown option " + word + "; see --help");
    }
    return words;
}

std::vector<std::string> take_url(ConnectArgs& args, std::vector<std::string> words,
                                  const std::vector<std::string>& names) {
    const char* from_environment = std::getenv("PHX_URL");
    if (!words.empty() && words.front().find("://") != std::string::npos) {
        args.url = words.front();
        words.erase(words.begin());
    } else if (from_environment != nullptr && *from_environment != '\0') {
        args.url = from_environment;
    } else if (words.empty()) {
        usage_error("URL missing: give ws://HOST:PORT/PATH or set PHX_URL");
    } else {
        usage_error("'" + words.front() + "' is no URL: it must begin with ws:// or wss://");
    }
    if (auto url = protocol::parse_url(args.url); !url) usage_error(url.error().message);
    if (!words.empty() && words.front().empty()) usage_error("the TOPIC is empty");
    if (words.size() < names.size()) usage_error(names[words.size()] + " missing; see --help");
    return words;
}

Result<Millis> parse_duration(const std::string& text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
    double factor = 0;
    if (unit == "ms") factor = 1;
    if (unit.empty() || unit == "s") factor = 1000;
    if (unit == "m") factor = 60'000;
    if (unit == "h") factor = 3'600'000;
    const bool in_range = error == std::errc{} && number >= 0 && number * factor <= 1e12;
    if (!in_range || factor == 0) {
        return fail(Errc::invalid_argument, "'" + text + "' is no duration: write 500ms, 10s, 2m or 1h");
    }
    return Millis(static_cast<Millis::rep>(number * factor));
}

Millis duration_or_exit(const std::string& option, const std::string& text) {
    auto duration = parse_duration(text);
    if (!duration) usage_error(option + ": " + duration.error().message);
    return *duration;
}

std::optional<Millis> timeout_of(const ConnectArgs& args) {
    std::string text = args.timeout;
    if (const char* from_environment = std::getenv("PHX_TIMEOUT");
        text.empty() && from_environment != nullptr) {
        text = from_environment;
    }
    if (text.empty()) return {};
    return duration_or_exit("--timeout", text);
}

std::string read_or_exit(const std::string& path) {
    if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::ifstream file(path, std::ios::binary);
    if (!file) usage_error("cannot read " + path + ": " + std::strerror(errno));
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string json_or_exit(const std::string& argument) {
    std::string text = argument;
    std::string name = "the JSON argument";
    if (argument == "-" || (!argument.empty() && argument.front() == '@')) {
        name = argument == "-" ? "standard input" : argument.substr(1);
        text = read_or_exit(argument == "-" ? argument : argument.substr(1));
    }
    if (auto valid = protocol::validate_json(text); !valid) {
        usage_error(name + " is not JSON: " + valid.error().message +
                    " (in a shell, put it into single quotes)");
    }
    return text;
}

std::string payload_or_exit(const std::vector<std::string>& words, std::size_t at) {
    if (words.size() > at + 1) usage_error("too many arguments after EVENT; a JSON payload is one argument");
    return words.size() > at ? json_or_exit(words[at]) : "{}";
}

void add_join_option(CLI::App& verb, std::string& join) {
    verb.add_option("--join", join, "payload of the join: JSON, @FILE or -")->type_name("JSON");
}

std::optional<std::string> join_payload_or_exit(const std::string& join) {
    if (join.empty()) return std::nullopt;
    return json_or_exit(join);
}

bool supabase_dialect(const ConnectArgs& args) {
    if (args.supabase || args.url.find("/realtime/v1") != std::string::npos) return true;
    if (args.url.find("apikey=") != std::string::npos) return true;
    for (const auto& param : args.params) {
        if (param.starts_with("apikey=")) return true;
    }
    return false;
}

std::string wire_topic(const ConnectArgs& args, const std::string& topic) {
    return supabase_dialect(args) ? protocol::realtime_topic(topic) : topic;
}

std::string token_of(const ConnectArgs& args) {
    const char* const from_environment = std::getenv("PHX_TOKEN");
    return args.token.empty() && from_environment != nullptr ? from_environment : args.token;
}

SocketOptions socket_options(const ConnectArgs& args) {
    SocketOptions options;
    for (const auto& param : args.params) {
        const auto equals = param.find('=');
        if (equals == std::string::npos || equals == 0) usage_error("--param takes NAME=VALUE");
        options.params[param.substr(0, equals)] = param.substr(equals + 1);
    }
    for (const auto& header : args.headers) {
        const auto colon = header.find(':');
        if (colon == std::string::npos || colon == 0) usage_error("--header takes 'Name: value'");
        const auto value = header.find_first_not_of(" \t", colon + 1);
        options.headers.emplace_back(header.substr(0, colon),
                                     value == std::string::npos ? std::string() : header.substr(value));
    }
    if (std::string token = token_of(args); !token.empty()) {
        // Supabase takes it as the parameter `apikey`, Phoenix as a subprotocol.
        if (supabase_dialect(args)) {
            options.params["apikey"] = token;
        } else {
            options.auth_token = [token] { return token; };
        }
    }
    auto vsn = protocol::parse_vsn(args.vsn);
    if (!vsn) usage_error("--vsn: " + vsn.error().message);
    options.vsn = *vsn;
    options.tls.ca_file = args.ca_file;
    options.tls.cert_file = args.cert_file;
    options.tls.key_file = args.key_file;
    options.tls.verify_peer = !args.insecure;
    options.network.proxy = args.proxy;
    options.connect_timeout = duration_or_exit("--connect-timeout", args.connect_timeout);
    if (const auto timeout = timeout_of(args)) options.timeout = *timeout;
    return options;
}

} // namespace phx::cli
