#include "src/server/http_exchange.hpp"

#include "src/loop/loop_core.hpp"

namespace phx::shell {

void HttpExchange::answer(const HttpAnswer& http_answer) {
    closed_ = nullptr; // who was forwarded to has answered
    if (Answer give = std::exchange(answer_, nullptr)) give(http_answer);
}

std::shared_ptr<HttpExchange> HttpExchange::forward(std::shared_ptr<LoopCore> here,
                                                    std::shared_ptr<LoopCore> there) {
    auto forwarded = std::make_shared<HttpExchange>(
        head_, body_, peer_, [here = std::move(here), self = shared_from_this()](const HttpAnswer& given) {
            here->post([self, given] { self->answer(given); });
        });
    closed_ = [there = std::move(there), weak = std::weak_ptr(forwarded)] {
        if (const auto alive = weak.lock()) there->post([alive] { alive->close(); });
    };
    return forwarded;
}

void HttpExchange::close() {
    answer_ = nullptr;
    if (auto tell = std::exchange(closed_, nullptr)) tell();
}

} // namespace phx::shell
