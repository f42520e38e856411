#include "tools/phx-server/token_commands.hpp"

#include "phx/json.hpp"
#include "tools/phx-server/serve.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>
#include <variant>

namespace phx::tools {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

int complain(const CLI::App& command, const std::string& line, int exit_code) {
    std::fprintf(stderr, "phx-server %s: %s\n", command.get_name().c_str(), line.c_str());
    return exit_code;
}

int exit_code_of(const Error& error) { return error.code == Errc::invalid_argument ? 2 : 1; }

int print(const CLI::App& command, const std::string& line) {
    if (std::printf("%s\n", line.c_str()) >= 0 && std::fflush(stdout) == 0) return 0;
    return complain(command, "cannot write to stdout", 1);
}

Failure usage(const std::string& what) { return fail(Errc::invalid_argument, what); }

/// "90s", "15m", "1h", "7d"; at most about a hundred years.
Result<seconds> parse_duration(const std::string& text) {
    constexpr std::pair<char, std::int64_t> units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    constexpr std::int64_t max_seconds = 36500LL * 86400;
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    for (const auto& [unit, length] : units) {
        const bool has_unit = error == std::errc{} && stop + 1 == end && *stop == unit;
        if (has_unit && count > 0 && count <= max_seconds / length) return seconds(count * length);
    }
    return usage("--expires-in: \"" + text + "\" is no time: give 90s, 15m, 1h or 7d");
}

/// "name=JSON".
Result<void> set_claim(Json& claims, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) return usage("--claim: give NAME=JSON");
    auto value = parse_json(text.substr(equals + 1));
    const std::string name = text.substr(0, equals);
    if (!value)
        return usage("--claim: the value of \"" + name + "\" is no JSON; text needs quotes: '\"text\"'");
    claims[name] = *std::move(value);
    return {};
}

std::string trimmed(std::string text) {
    constexpr const char* space = " \t\r\n";
    text.erase(0, std::min(text.find_first_not_of(space), text.size()));
    text.erase(text.find_last_not_of(space) + 1);
    return text;
}

} // namespace

// ---- gen-token

GenToken::GenToken(CLI::App& program)
    : command_(program.add_subcommand("gen-token", "Print a token (JWT), signed with the secret")) {
    command_->add_option("--sub", sub_, "User id");
    command_->add_option("--role", roles_, "Role; repeat it for more")->expected(1)->take_all();
    command_->add_option("--permission", permissions_, "Permission; repeat it for more")
        ->expected(1)
        ->take_all();
    command_->add_option("--expires-in", expires_in_, "How long it is good: 90s, 15m, 1h, 7d")
        ->capture_default_str();
    command_->add_option("--claim", claims_, "NAME=JSON, such as 'aud=\"chat\"'; repeat it for more")
        ->expected(1)
        ->take_all();
    command_->add_option("--algorithm", algorithm_, "HS256, if there is no --private-key");
    command_->add_option("--kid", kid_, "Key id, into the header");
    command_->add_option("--jwt-secret-file", secret_file_,
                         std::string("File with the secret, the first line of it; else ") + secret_variable +
                             " of the environment");
    command_->add_option("--private-key", private_key_file_, "PEM file, for RS*, ES* and EdDSA");
}

Result<std::string> GenToken::claims() const {
    const auto life = parse_duration(expires_in_);
    if (!life) return Failure{life.error()};
    const auto now = std::chrono::floor<seconds>(system_clock::now()).time_since_epoch();
    Json claims = {{"iat", now.count()}, {"exp", (now + *life).count()}};
    if (!sub_.empty()) claims["sub"] = sub_;
    if (!roles_.empty()) claims["role"] = roles_.front();
    if (roles_.size() > 1) claims["roles"] = roles_;
    if (!permissions_.empty()) claims["permissions"] = permissions_;
    for (const std::string& claim : claims_)
        if (auto set = set_claim(claims, claim); !set) return Failure{set.error()};
    return payload_text(claims);
}

Result<phx::server::SigningKey> GenToken::key() const {
    phx::server::SigningKey key;
    if (!kid_.empty()) key.kid = kid_;
    if (!algorithm_.empty()) key.algorithm = algorithm_;
    if (!private_key_file_.empty()) {
        if (algorithm_.empty()) return usage("--private-key needs --algorithm, such as ES256");
        auto pem = read_file(private_key_file_);
        if (!pem) return Failure{pem.error()};
        key.key = *std::move(pem);
        return key;
    }
    auto keys = read_token_keys({.secret_file = secret_file_});
    if (!keys) return Failure{keys.error()};
    if (keys->secrets.empty())
        return usage(std::string("there is no key: give --jwt-secret-file, ") + secret_variable +
                     " in the environment, or --private-key");
    key.key = std::move(keys->secrets.front());
    return key;
}

int GenToken::run() const {
    const auto text = claims();
    if (!text) return complain(*command_, text.error().message, exit_code_of(text.error()));
    const auto signing_key = key();
    if (!signing_key)
        return complain(*command_, signing_key.error().message, exit_code_of(signing_key.error()));
    const auto token = phx::server::sign_token(*text, *signing_key);
    if (!token) return complain(*command_, token.error().message, exit_code_of(token.error()));
    return print(*command_, *token);
}

// ---- check-token

CheckToken::CheckToken(CLI::App& program, const Flags& flags)
    : command_(program.add_subcommand("check-token", "Verify a token from stdin and print its claims; exit "
                                                     "code 1 and the reason if it is refused")),
      flags_(flags) {
    command_->fallthrough(); // --config and the settings are options of the program
    command_->footer("Keys and rules are the settings of the server, from --config FILE, PHX_SERVER_* and "
                     "flags such as\n--jwt-secret-file and --tokens-leeway: see phx-server --help.");
    command_->add_option("--token-file", token_file_, "File with the token; - is stdin")
        ->capture_default_str();
    command_->add_option("--audience", audience_, "What `aud` has to be, or to hold");
    command_->add_option("--issuer", issuer_, "What `iss` has to be");
}

int CheckToken::run() const {
    const ConfigRead read = flags_.read_config();
    for (const std::string& line : read.faults.lines()) complain(*command_, line, 2);
    if (!read.faults.empty()) return 2;
    if (read.config.insecure_no_auth)
        return complain(*command_, "insecure_no_auth is set: the server looks at no token", 2);
    if (const auto why = why_refused(read.config)) return complain(*command_, *why, 2);
    phx::server::TokenOptions tokens = *read.config.options.tokens;
    if (!audience_.empty()) tokens.rules.audience = audience_;
    if (!issuer_.empty()) tokens.rules.issuer = issuer_;
    const auto verifier = phx::server::TokenVerifier::make(tokens.keys, tokens.rules);
    if (!verifier) return complain(*command_, verifier.error().message, exit_code_of(verifier.error()));
    const auto token = read_file(token_file_);
    if (!token) return complain(*command_, token.error().message, exit_code_of(token.error()));
    const auto verdict = verifier->verify(trimmed(*token), system_clock::now());
    if (const auto* refusal = std::get_if<phx::server::TokenRefusal>(&verdict))
        return complain(*command_, describe(*refusal), 1);
    return print(*command_, std::get<phx::server::Identity>(verdict).claims);
}

} // namespace phx::tools
