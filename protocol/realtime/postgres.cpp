#include "protocol/realtime/postgres.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/postgres_row.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace phx::protocol::realtime {
namespace {

using phx::realtime::ChangeKind;
using phx::realtime::PostgresColumn;
using Value = std::optional<std::string_view>; ///< of a member, as written

Failure malformed(const char* what) {
    return fail(Errc::invalid_payload, std::string("a postgres_changes event ") + what, Origin::peer);
}

/// Absent or null.
bool is_none(const Value& value) noexcept { return !value || *value == "null"; }

/// The text of a string; none of anything else.
std::optional<std::string> text_of(const Value& value) { return value ? json_string(*value) : std::nullopt; }

std::optional<std::uint64_t> id_of(std::string_view value) noexcept {
    std::uint64_t id = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, id);
    return error == std::errc() && stop == end ? std::optional(id) : std::nullopt;
}

std::optional<ChangeKind> kind_of(std::string_view type) noexcept {
    for (const ChangeKind kind : {ChangeKind::insert, ChangeKind::update, ChangeKind::remove})
        if (type == phx::realtime::to_string(kind)) return kind;
    return std::nullopt;
}

bool read_ids(std::string_view value, std::vector<std::uint64_t>& out) {
    JsonElements elements(value);
    if (!elements.is_array()) return false;
    for (std::string_view element; elements.next(element);) {
        const auto id = id_of(element);
        if (!id) return false;
        out.push_back(*id);
    }
    return true;
}

bool read_columns(const Value& value, std::vector<PostgresColumn>& out) {
    if (is_none(value)) return true;
    JsonElements elements(*value);
    if (!elements.is_array()) return false;
    for (std::string_view element; elements.next(element);) {
        auto name = text_of(json_member(element, "name"));
        auto type = text_of(json_member(element, "type"));
        if (!name || !type) return false;
        out.push_back({std::move(*name), std::move(*type)});
    }
    return true;
}

bool read_errors(const Value& value, std::vector<std::string>& out) {
    if (is_none(value)) return true;
    JsonElements elements(*value);
    if (!elements.is_array()) return false;
    for (std::string_view element; elements.next(element);) {
        auto text = json_string(element);
        if (!text) return false;
        out.push_back(std::move(*text));
    }
    return true;
}

/// The members of "data", found in one pass: it may hold a megabyte.
struct DataMembers {
    Value table, schema, type, commit_timestamp, columns, errors, record, old_record;

    Value* slot(std::string_view name) noexcept {
        if (name == "table") return &table;
        if (name == "schema") return &schema;
        if (name == "type") return &type;
        if (name == "commit_timestamp") return &commit_timestamp;
        if (name == "columns") return &columns;
        if (name == "errors") return &errors;
        if (name == "record") return &record;
        return name == "old_record" ? &old_record : nullptr;
    }
};

/// False if it is no object, and nothing but that.
bool read_members(std::string_view data, DataMembers& out) {
    JsonMembers members(data);
    JsonMember member;
    std::string scratch;
    while (members.next(member)) {
        Value* const slot = out.slot(unquote(member.name, scratch));
        if (slot != nullptr && !*slot) *slot = member.value;
    }
    return members.complete();
}

bool is_row(const Value& value) noexcept { return is_none(value) || is_json_object(*value); }

} // namespace

Result<PostgresChangeText> read_postgres_data(std::string_view data, PostgresNumbers numbers) {
    DataMembers members;
    if (!read_members(data, members)) return malformed("whose data is no object");
    auto table = text_of(members.table);
    auto schema = text_of(members.schema);
    if (!table || !schema) return malformed("without a schema or a table");
    const auto kind = kind_of(text_of(members.type).value_or(""));
    if (!kind) return malformed("whose type is none of INSERT, UPDATE and DELETE");
    PostgresChangeText change;
    change.kind = *kind;
    change.table = std::move(*table);
    change.schema = std::move(*schema);
    if (!is_none(members.commit_timestamp)) {
        auto at = text_of(members.commit_timestamp);
        if (!at) return malformed("whose commit_timestamp is no text");
        change.commit_timestamp = std::move(*at);
    }
    if (!read_columns(members.columns, change.columns)) return malformed("with malformed columns");
    if (!read_errors(members.errors, change.errors)) return malformed("with malformed errors");
    if (!is_row(members.record) || !is_row(members.old_record)) return malformed("whose row is no object");
    const ColumnTypes types(change.columns);
    if (*kind != ChangeKind::remove && members.record)
        change.new_row = convert_row(*members.record, types, numbers);
    if (*kind != ChangeKind::insert && members.old_record)
        change.old_row = convert_row(*members.old_record, types, numbers);
    return change;
}

Result<PostgresEvent> read_postgres_event(std::string_view payload, PostgresNumbers numbers) {
    Value data, ids;
    JsonMembers members(payload);
    JsonMember member;
    std::string scratch;
    while (members.next(member)) {
        const std::string_view name = unquote(member.name, scratch);
        if (name == "data" && !data) data = member.value;
        if (name == "ids" && !ids) ids = member.value;
    }
    if (!members.complete()) return malformed("that is no object");
    PostgresEvent event;
    if (!ids || !read_ids(*ids, event.ids)) return malformed("without a list of ids");
    auto change = read_postgres_data(data.value_or("null"), numbers);
    if (!change) return Failure{change.error()};
    event.change = std::move(*change);
    return event;
}

namespace {

Failure mismatch(std::size_t index, const char* what) {
    return fail(Errc::binding_mismatch,
                "postgres_changes " + std::to_string(index) + " of the join: the server " + what,
                Origin::peer);
}

/// What of the server's entry is not as it was asked for; null if nothing. What was left out of the join is
/// absent, null or empty in the reply.
const char* difference(const PostgresBinding& asked, std::string_view entry) {
    if (!is_json_object(entry)) return "has none";
    const auto differs = [entry](std::string_view name, const std::string& wanted) {
        const Value value = json_member(entry, name);
        return is_none(value) ? !wanted.empty() : json_string(*value) != wanted;
    };
    if (differs("event", asked.event)) return "has another event";
    if (differs("schema", asked.schema)) return "has another schema";
    if (differs("table", asked.table)) return "has another table";
    if (differs("filter", asked.filter)) return "has another filter";
    return nullptr;
}

} // namespace

Result<std::vector<std::uint64_t>> read_binding_ids(const std::vector<PostgresBinding>& asked,
                                                    std::string_view response) {
    std::vector<std::uint64_t> ids;
    ids.reserve(asked.size());
    JsonElements entries(json_member(response, "postgres_changes").value_or(""));
    for (std::size_t i = 0; i < asked.size(); ++i) {
        std::string_view entry;
        if (!entries.next(entry)) return mismatch(i, "has none");
        if (const char* const what = difference(asked[i], entry)) return mismatch(i, what);
        const auto id = id_of(json_member(entry, "id").value_or(""));
        if (!id) return mismatch(i, "gave it no id");
        ids.push_back(*id);
    }
    return ids;
}

} // namespace phx::protocol::realtime
