#pragma once

#include "phx/realtime/postgres_text.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::realtime {

/// Finds the type of a column by its name.
class ColumnTypes {
public:
    /// Borrows the columns.
    explicit ColumnTypes(const std::vector<phx::realtime::PostgresColumn>& columns);
    /// Empty if there is no such column; of a repeated name the first.
    std::string_view of(std::string_view name) const noexcept;

private:
    std::vector<const phx::realtime::PostgresColumn*> by_name_;
};

/// A row, a JSON object, with every value converted by the type of its column.
std::string convert_row(std::string_view record, const ColumnTypes&, phx::realtime::PostgresNumbers);

} // namespace phx::protocol::realtime
