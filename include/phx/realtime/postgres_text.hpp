#pragma once

#include "phx/realtime/postgres_filter.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace phx::realtime {

/// What becomes of numbers that a double may not hold: of the columns of type int8 and numeric, and of arrays
/// of them.
enum class PostgresNumbers : std::uint8_t {
    /// JSON numbers with all digits that the database sent. Whoever parses them into doubles rounds them.
    as_json,
    /// JSON strings with these digits.
    exact_as_text,
};

struct PostgresColumn {
    std::string name = {};
    std::string type = {}; ///< PostgreSQL's name of it: "int8"; of arrays with an underscore: "_int8"

    friend bool operator==(const PostgresColumn&, const PostgresColumn&) = default;
};

/// A change with its rows as JSON text. Users get it as a `PostgresChange`.
struct PostgresChangeText {
    ChangeKind kind = ChangeKind::insert;
    std::string schema = {};
    std::string table = {};
    std::string commit_timestamp = {};
    std::vector<PostgresColumn> columns = {};
    std::vector<std::string> errors = {};
    std::string new_row = "{}";
    std::string old_row = "{}";
};

} // namespace phx::realtime
