#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/loop.hpp"
#include "phx/result.hpp"
#include "src/net/connection_target.hpp"

#include <string>

namespace phx::shell {

struct HttpReply {
    int status = 0;
    std::string body = {}; ///< the first 64 KiB
};

/// Posts JSON, once, over a connection of its own. `target.url` has path and query of the request,
/// `target.headers` what goes along. Any thread; `done` is called once, on the loop's thread, unless the loop
/// has ended before. Errors: those of connecting, timeout (the server may still have acted), invalid_argument
/// (a header that could end the request's head), socket_closed (the loop ends). Exported for phx-cli.
PHX_API void http_post(Loop&, ConnectionTarget target, std::string json, Millis timeout,
                       Function<void(Result<HttpReply>)> done);

} // namespace phx::shell
