#pragma once

#include "phx/json.hpp"
#include "phx/realtime/postgres_filter.hpp"
#include "phx/realtime/postgres_text.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::realtime {

/// A row that was inserted, updated or deleted. It owns its data; copies share them; any thread.
class PostgresChange {
public:
    explicit PostgresChange(PostgresChangeText text)
        : text_(std::make_shared<const PostgresChangeText>(std::move(text))) {}

    /// insert, update or remove
    ChangeKind kind() const noexcept { return text_->kind; }
    std::string_view schema() const noexcept { return text_->schema; }
    std::string_view table() const noexcept { return text_->table; }
    /// "2026-01-02T03:04:05.678Z"; empty when the server gives none, as beside errors.
    std::string_view commit_timestamp() const noexcept { return text_->commit_timestamp; }
    /// Those that the user may read and `select` names.
    const std::vector<PostgresColumn>& columns() const noexcept { return text_->columns; }
    /// Why the row is not complete, mostly empty: "Error 401: Unauthorized" (nothing of it may be read),
    /// "Error 413: Payload Too Large" (over 1 MiB: values of more than 64 bytes are left out), "Error 400:
    /// Bad Request, no primary key".
    const std::vector<std::string>& errors() const noexcept { return text_->errors; }

    /// The row as JSON text, an object with a member for each column; `{}` of a DELETE.
    std::string_view new_text() const noexcept { return text_->new_row; }
    /// The row before, of an UPDATE or a DELETE: the columns of the replica identity alone, by default the
    /// primary key; `{}` of an INSERT. With row level security a DELETE always has the primary key alone.
    std::string_view old_text() const noexcept { return text_->old_row; }

    /// The rows, parsed at each call anew. Never throws. Errors: invalid_payload (a number that no double
    /// holds; see `PostgresNumbers`).
    Result<Json> new_row() const { return parse_json(new_text()); }
    Result<Json> old_row() const { return parse_json(old_text()); }
    /// The rows as a T that nlohmann::json can make (`from_json`). Errors: invalid_payload.
    template <class T> Result<T> new_as() const { return json_as<T>(new_row()); }
    template <class T> Result<T> old_as() const { return json_as<T>(old_row()); }

private:
    std::shared_ptr<const PostgresChangeText> text_;
};

} // namespace phx::realtime
