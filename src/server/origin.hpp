#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace phx::shell {

/// What Options::allowed_origins may hold: "*", "https://app.example.com", "//app.example.com:8443" (any
/// scheme), "https://*.example.com" (any subdomain, not the domain itself).
bool is_origin_pattern(std::string_view) noexcept;

/// Whether a browser's page of `origin` may use a server that it called `host` (the Host header). Pages of
/// the server's own address always may.
bool is_allowed_origin(std::string_view origin, std::string_view host,
                       const std::vector<std::string>& allowed) noexcept;

/// Whether a Host header is one that nobody far away can point at this machine: an IP address, a name without
/// a dot (localhost, or of the local network), or one below localhost.
bool is_local_host(std::string_view host) noexcept;

} // namespace phx::shell
