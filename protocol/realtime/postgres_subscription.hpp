#pragma once

#include "phx/result.hpp"
#include "protocol/realtime/postgres_condition.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::realtime {

/// One entry of `postgres_changes` in a join, as the server understands it.
struct PostgresSubscription {
    std::uint32_t id = 0;    ///< what the reply to the join calls it
    std::string event = "*"; ///< INSERT, UPDATE, DELETE; anything else is all
    std::string schema = "*";
    std::string table = "*";
    std::vector<PostgresCondition> conditions = {}; ///< all must hold
    std::vector<std::string> select = {};           ///< empty: every column
};

/// Errors: invalid_payload, whose message is Supabase's text.
Result<PostgresSubscription> read_subscription(std::string_view entry);

} // namespace phx::protocol::realtime
