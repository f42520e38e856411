#include "tools/phx-server/echo.hpp"

#include <stdexcept>

namespace phx::tools {
namespace {

using phx::server::Actions;
using phx::server::Context;
using phx::server::PayloadView;

Actions handle_in(const Context&, std::string_view event, PayloadView payload) {
    if (event == "broadcast" || event == "shout") return Actions().broadcast(event, payload).ok();
    if (event == "error") return Actions().error(payload);
    if (event == "noreply") return {};
    if (event == "stop") return Actions().stop();
    if (event == "crash") throw std::runtime_error("a client asked for it");
    return Actions().ok(payload);
}

} // namespace

phx::server::Handlers echo_handlers() {
    phx::server::Handlers handlers;
    handlers.handle_in = handle_in;
    return handlers;
}

} // namespace phx::tools
