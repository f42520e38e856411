#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phx::server {

/// A row that was inserted, updated or deleted, as `postgres_changes` subscribers of `realtime:*` get it.
/// Nothing checks whether they may see it: there is no database behind.
struct Change {
    enum class Kind : std::uint8_t { insert, update, remove };
    struct Column {
        std::string name = {};
        std::string type = "text"; ///< PostgreSQL's: "int8", "bool", "timestamptz", "_text" (an array) ...
        bool primary_key = false;  ///< sent also to those who select other columns
    };

    Kind kind = Kind::insert;
    std::string schema = "public";
    std::string table = {};
    /// Empty: those of the record, or else of the old one, with types after their values.
    std::vector<Column> columns = {};
    std::string record = "{}";            ///< a JSON object; not sent for `remove`
    std::string old_record = "{}";        ///< likewise; not sent for `insert`
    std::string commit_timestamp = {};    ///< "2026-01-02T03:04:05.678Z"; empty: the time of the call
    std::vector<std::string> errors = {}; ///< such as "Error 413: Payload Too Large"
};

} // namespace phx::server
