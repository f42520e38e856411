#include "src/server/http_exchange.hpp"

#include "src/server/connection.hpp"

namespace phx::shell {

void HttpExchange::answer(const HttpAnswer& http_answer) {
    if (connection_ != nullptr) connection_->answer_exchange(http_answer);
}

} // namespace phx::shell
