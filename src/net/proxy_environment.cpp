#include "src/net/proxy_environment.hpp"

#include <stdlib.h>
#include <string>

namespace phx::shell {
namespace {

/// Not of a program with the rights of another than its caller.
std::string variable(const char* name) {
    const char* const value = ::secure_getenv(name);
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
