#include "protocol/realtime/postgres_row.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/postgres_cell.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

namespace phx::protocol::realtime {
namespace {

using phx::realtime::PostgresColumn;

struct Cell {
    std::string_view name = {}; ///< without quotes and escapes
    JsonMember member = {};
    bool is_repeated = false;
};

/// Sorting instead of hashing: the peer chooses the names.
void mark_repeated(std::vector<Cell>& cells) {
    std::vector<Cell*> by_name;
    by_name.reserve(cells.size());
    for (Cell& cell : cells) by_name.push_back(&cell);
    std::stable_sort(by_name.begin(), by_name.end(),
                     [](const Cell* a, const Cell* b) { return a->name < b->name; });
    for (std::size_t i = 1; i < by_name.size(); ++i)
        by_name[i]->is_repeated = by_name[i]->name == by_name[i - 1]->name;
}

} // namespace

ColumnTypes::ColumnTypes(const std::vector<PostgresColumn>& columns) {
    by_name_.reserve(columns.size());
    for (const PostgresColumn& column : columns) by_name_.push_back(&column);
    std::stable_sort(by_name_.begin(), by_name_.end(),
                     [](const PostgresColumn* a, const PostgresColumn* b) { return a->name < b->name; });
}

std::string_view ColumnTypes::of(std::string_view name) const noexcept {
    const auto found = std::lower_bound(
        by_name_.begin(), by_name_.end(), name,
        [](const PostgresColumn* column, std::string_view wanted) { return column->name < wanted; });
    return found != by_name_.end() && (*found)->name == name ? std::string_view((*found)->type)
                                                             : std::string_view();
}

std::string convert_row(std::string_view record, const ColumnTypes& types,
                        phx::realtime::PostgresNumbers numbers) {
    std::vector<Cell> cells;
    std::deque<std::string> unescaped; // names stay where they are
    JsonMembers reader(record);
    std::string scratch;
    for (Cell cell; reader.next(cell.member); cells.push_back(cell)) {
        cell.name = unquote(cell.member.name, scratch);
        if (cell.name.data() == scratch.data()) cell.name = unescaped.emplace_back(std::move(scratch));
    }
    mark_repeated(cells);
    std::string out;
    out.reserve(record.size());
    out.push_back('{');
    for (const Cell& cell : cells) {
        if (cell.is_repeated) continue;
        if (out.size() > 1) out.push_back(',');
        out.append(cell.member.name.text).push_back(':');
        append_cell(out, types.of(cell.name), cell.member.value, numbers);
    }
    out.push_back('}');
    return out;
}

} // namespace phx::protocol::realtime
