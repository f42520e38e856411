#include "src/net/http_refusal.hpp"

#include "protocol/wire/retry_after.hpp"

#include <algorithm>
#include <utility>

namespace phx::shell {
namespace {

constexpr std::size_t max_body_bytes = 16u << 10;

} // namespace

HttpRefusal::HttpRefusal(protocol::HttpResponse&& response)
    : detail_(std::make_shared<ErrorDetail>()), body_(response, max_body_bytes),
      retry_after_(protocol::parse_retry_after(response.header("retry-after"), response.header("date"))) {
    detail_->http_status = response.status;
    detail_->http_headers = std::move(response.headers);
}

std::string HttpRefusal::redirect() const {
    constexpr std::size_t max_bytes = 200;
    if (status() / 100 != 3) return {};
    for (const auto& [name, value] : detail_->http_headers) {
        if (name != "location") continue;
        std::string where = value.substr(0, value.find_first_of("?#"));
        // Credentials in it are not ours, and none of anybody's business.
        const std::size_t start = where.find("//");
        const std::size_t at = where.rfind('@');
        if (start != where.npos && at != where.npos && at > start) where.erase(start + 2, at - start - 1);
        where.resize(std::min(where.size(), max_bytes)); // only now: the cut could hide the '@'
        std::replace_if(
            where.begin(), where.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
        return where;
    }
    return {};
}

LinkEnd HttpRefusal::end(Failure why) {
    detail_->http_body = std::move(body_.text());
    why.error.detail = std::move(detail_);
    return {.error = std::move(why.error), .retry_after = retry_after_};
}

Error unreadable_error(const std::string& what, protocol::HttpResponseReader::Status status,
                       const char* advice, Origin origin) {
    const bool is_large = status == protocol::HttpResponseReader::Status::too_large;
    return fail(Errc::connect_failed,
                what +
                    (is_large ? " answered with more than 16 KiB of headers" : " did not answer with HTTP") +
                    advice,
                origin)
        .error;
}

} // namespace phx::shell
