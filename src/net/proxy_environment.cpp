#include "src/net/proxy_environment.hpp"

#include <cstdlib>
#include <string>

namespace phx::shell {
namespace {

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

/// As curl: the lower case one first.
std::string either(const char* lower, const char* upper) {
    std::string value = variable(lower);
    return value.empty() ? variable(upper) : value;
}

} // namespace

protocol::ProxyVariables proxy_environment() {
    return {.http = variable("http_proxy"),
            .https = either("https_proxy", "HTTPS_PROXY"),
            .all = either("all_proxy", "ALL_PROXY"),
            .no = either("no_proxy", "NO_PROXY")};
}

} // namespace phx::shell
