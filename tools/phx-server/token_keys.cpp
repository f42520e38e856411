#include "tools/phx-server/token_keys.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace phx::tools {
namespace {

constexpr std::size_t max_file_bytes = 1u << 20;

Result<std::string> text_of(const std::string& file, const char* variable) {
    if (file.empty()) {
        const char* const value = std::getenv(variable);
        return std::string(value ? value : "");
    }
    auto text = read_file(file);
    if (text && text->empty()) return fail(Errc::invalid_argument, file + " is empty");
    return text;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) lines.emplace_back(line);
    }
    return lines;
}

} // namespace

Result<std::string> read_file(const std::string& path) {
    const auto failure = [&](const char* why) {
        return fail(Errc::system_failure, "cannot read " + (path == "-" ? "stdin" : path) + ": " + why);
    };
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, &std::fclose);
    if (path != "-") opened.reset(std::fopen(path.c_str(), "re"));
    std::FILE* const file = path == "-" ? stdin : opened.get();
    if (!file) return failure(std::strerror(errno));
    std::string text(max_file_bytes + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    if (std::ferror(file)) return failure(std::strerror(errno));
    if (text.size() > max_file_bytes) return failure("it has more than 1 MiB");
    return text;
}

Result<phx::server::TokenKeys> read_token_keys(const KeySources& sources) {
    const auto secrets = text_of(sources.secret_file, secret_variable);
    if (!secrets) return Failure{secrets.error()};
    auto jwks = text_of(sources.jwks_file, jwks_variable);
    if (!jwks) return Failure{jwks.error()};
    return phx::server::TokenKeys{lines_of(*secrets), *std::move(jwks)};
}

} // namespace phx::tools
