#pragma once

#include "phx/error.hpp"
#include "phx/network_options.hpp"
#include "phx/protocol/endpoint.hpp"
#include "protocol/clock.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

/// What is dialled, and what is said there.
struct ConnectionTarget {
    protocol::Url url = {};
    std::string subprotocols = {};
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< of every request, beside our own
    TlsOptions tls = {};
    NetworkOptions network = {};
    /// When the attempt is given up: a refusal is reported before that, with what has come of its body.
    std::optional<protocol::TimePoint> deadline = {};

    /// For people: "host:port".
    std::string place() const;
    bool has_header(std::string_view name) const noexcept;
};

/// How a link, or what it carried, ended. Without an error: the peer (or the network) ended an open one.
struct LinkEnd {
    std::optional<Error> error = {};
    std::optional<protocol::Duration> retry_after = {};
};

} // namespace phx::shell
