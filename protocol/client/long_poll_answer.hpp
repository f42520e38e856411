#pragma once

#include "phx/result.hpp"
#include "protocol/wire/json_text.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol {

/// What Phoenix answers to every request of a long poll: an object, whose status is the real one.
struct LongPollAnswer {
    int status = 0;
    std::optional<std::string> token = {};
    std::string_view messages = {}; ///< inside the brackets of the list, of the body; empty if there are none
};

/// Unknown members are skipped; of one that is there twice the last counts, as in JSON.parse.
///
/// Errors: as of JsonReader, all of Origin::peer, for what is no JSON, another shape, or a token that cannot
/// be sent back in a header.
Result<LongPollAnswer> read_long_poll_answer(std::string_view body);

/// Hands out the messages of an answer.
class LongPollMessages {
public:
    LongPollMessages() = default;
    /// REQUIRES what read_long_poll_answer() found
    explicit LongPollMessages(std::string_view messages);

    /// It lives until the next one.
    std::optional<std::string_view> next();
    /// There are no more; the last one lives on.
    void stop() noexcept { reader_ = wire::JsonReader({}, 1); }

private:
    wire::JsonReader reader_{{}, 1};
    std::string scratch_;
};

} // namespace phx::protocol
