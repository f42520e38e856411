#include "src/server/prepared_handlers.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace phx::shell {
namespace {

using phx::server::Handlers;
using phx::server::MessageHandler;

void check(std::string_view pattern, const Handlers& handlers) {
    const auto refuse = [&](const std::string& why) {
        throw std::invalid_argument("channel(\"" + std::string(pattern) + "\"): " + why);
    };
    if (!handlers.intercepts.empty() && !handlers.handle_out) refuse("intercepts need a handle_out");
    for (const auto& [method, handler] : handlers.requests)
        if (!handler) refuse("the request \"" + method + "\" has an empty handler");
    for (const auto& middleware : handlers.around)
        if (!middleware) refuse("around has an empty middleware");
}

MessageHandler dispatcher(Handlers& handlers) {
    if (handlers.requests.empty() && handlers.handle_in) return std::move(handlers.handle_in);
    return [requests = std::exchange(handlers.requests, {}),
            rest = std::move(handlers.handle_in)](const phx::server::Context& context, std::string_view event,
                                                  phx::server::PayloadView payload) {
        const auto found = requests.find(event);
        if (found != requests.end()) return found->second(context, event, payload);
        if (!rest) throw std::logic_error("the channel has no handle_in");
        return rest(context, event, payload);
    };
}

} // namespace

Handlers prepared(std::string_view pattern, Handlers handlers) {
    check(pattern, handlers);
    MessageHandler handler = dispatcher(handlers);
    for (auto middleware = handlers.around.rbegin(); middleware != handlers.around.rend(); ++middleware)
        handler = (*middleware)(std::move(handler));
    handlers.around.clear();
    handlers.handle_in = std::move(handler);
    return handlers;
}

} // namespace phx::shell
