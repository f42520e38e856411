#pragma once

#include "exit_code.hpp"
#include "phx/json.hpp"
#include "phx/options.hpp"
#include "phx/result.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

namespace phx::cli {

/// How a message is printed; stdout carries nothing else.
enum class Format {
    plain, ///< a line of topic, event and payload; coloured and with the time on a terminal
    json,  ///< NDJSON with fixed keys
    raw,   ///< the payload alone
};

/// What every verb that connects takes.
struct ConnectArgs {
    std::string url = {};
    std::string token = {}; ///< better from PHX_TOKEN than from the command line, which `ps` shows
    std::vector<std::string> params = {};
    std::vector<std::string> headers = {};
    std::string vsn = "2.0.0";
    std::string ca_file = {}, cert_file = {}, key_file = {};
    std::optional<std::string> proxy = {}; ///< not set: what the environment says
    bool insecure = false;
    bool supabase = false;
    bool no_reconnect = false;
    bool wait_for_server = false;
    std::string connect_timeout = "10s";
    std::string timeout = {};
    int verbose = 0;
    bool quiet = false;
    bool as_json = false, as_raw = false;

    Format format() const { return as_json ? Format::json : as_raw ? Format::raw : Format::plain; }
};

void add_connect_options(CLI::App& verb, ConnectArgs&);

/// The verb takes words, which words_of() gives after the parse. Not as an option of CLI11: that takes a word
/// like
/// `[1,2]` apart, and JSON arrays are payloads here.
void take_words(CLI::App& verb, std::string names, std::string description);
/// Usage error for a word that is an unknown option.
std::vector<std::string> words_of(const CLI::App& verb);

/// Ends the program with exit code 2 and one line.
[[noreturn]] void usage_error(const std::string& message);

/// The positional words of a verb: URL first, unless PHX_URL names it and the first word is no URL.
/// `names` is what is required after the URL, for the error text.
std::vector<std::string> take_url(ConnectArgs&, std::vector<std::string> words,
                                  const std::vector<std::string>& names);

/// "500ms", "10s", "2m", "1h"; a bare number is seconds.
Result<Millis> parse_duration(const std::string& text);
/// The same, or usage_error().
Millis duration_or_exit(const std::string& option, const std::string& text);
std::optional<Millis> timeout_of(const ConnectArgs&);

/// JSON text given as it is, `@FILE`, or `-` for standard input; checked. Usage error when it is not JSON.
std::string json_or_exit(const std::string& argument);
/// The payload that may follow the other words, `{}` without one. Nothing may follow it.
std::string payload_or_exit(const std::vector<std::string>& words, std::size_t at);
void add_join_option(CLI::App& verb, std::string& join);
/// What --join gave, if it was given.
std::optional<std::string> join_payload_or_exit(const std::string& join);
/// The bytes of a file, or of standard input for `-`.
std::string read_or_exit(const std::string& path);

/// Whether the endpoint is Supabase's: by flag, path or `apikey`.
bool supabase_dialect(const ConnectArgs&);
/// The topic as it goes on the wire: prefixed with `realtime:` in the Supabase dialect.
std::string wire_topic(const ConnectArgs&, const std::string& topic);

/// Of --token or of the environment; empty: none.
std::string token_of(const ConnectArgs&);
SocketOptions socket_options(const ConnectArgs&);

} // namespace phx::cli
