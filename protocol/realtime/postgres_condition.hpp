#pragma once

#include "phx/result.hpp"
#include "protocol/realtime/text_pattern.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::realtime {

/// One comparison of a filter, such as `price=not.lt.10`.
struct PostgresCondition {
    enum class Operator : std::uint8_t {
        eq,
        neq,
        lt,
        lte,
        gt,
        gte,
        in,
        like,
        ilike,
        is,
        match,
        imatch,
        isdistinct
    };

    std::string column = {};
    Operator comparison = Operator::eq;
    bool negated = false;
    std::string value = {};
    std::vector<std::string> list = {};      ///< of `in`
    std::optional<TextPattern> pattern = {}; ///< of like, ilike, match and imatch
};

/// A filter in Supabase's form: conditions with commas between. A blank one has none. Errors:
/// invalid_payload, whose message is Supabase's text.
Result<std::vector<PostgresCondition>> read_filter(std::string_view filter);

/// A column of a row. `json`: its value as JSON text; empty: the row has none, which is as null.
struct PostgresValue {
    std::string_view type = {};
    std::string_view json = {};
};

/// Whether the condition is true: neither false nor unknown, as PostgreSQL has it. Values that cannot be
/// compared with the column's type match nothing.
bool holds(const PostgresCondition&, PostgresValue);

} // namespace phx::protocol::realtime
