#include "protocol/realtime/postgres_subscription.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"

#include <optional>
#include <utility>

namespace phx::protocol::realtime {
namespace {

constexpr std::string_view wants_names = "Error parsing `select` params: expected a list of column name "
                                         "strings, e.g. select: [\"col1\", \"col2\"]";
constexpr std::string_view no_wildcard = "Column selection is not supported for wildcard subscriptions. "
                                         "Provide an explicit schema and table name.";

Failure refuse(std::string message) { return fail(Errc::invalid_payload, std::move(message), Origin::peer); }

std::optional<std::string> text_member(std::string_view entry, std::string_view name) {
    return json_string(json_member(entry, name).value_or("null"));
}

/// Elixir's inspect() of a map, as far as JSON looks the same.
std::string inspect(std::string_view object) {
    static constexpr std::size_t max_quoted = 256;
    if (object.size() > max_quoted) return "%{...}";
    std::string out = "%{";
    JsonMembers members(object);
    for (JsonMember member; members.next(member);) {
        if (out.size() > 2) out.append(", ");
        out.append(member.name.text).append(" => ");
        out.append(member.value == "null" ? std::string_view("nil") : member.value);
    }
    return out.append("}");
}

std::string upper(std::string text) {
    for (char& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    return text;
}

bool read_select(std::string_view value, std::vector<std::string>& out) {
    JsonElements elements(value);
    if (!elements.is_array()) return false;
    for (std::string_view element; elements.next(element);) {
        auto name = json_string(element);
        if (!name) return false;
        out.push_back(*std::move(name));
    }
    return true;
}

} // namespace

Result<PostgresSubscription> read_subscription(std::string_view entry) {
    PostgresSubscription subscription;
    const auto schema = text_member(entry, "schema");
    const auto table = text_member(entry, "table");
    if (!schema && !table) {
        return refuse("No subscription params provided. Please provide at least a `schema` or `table` to "
                      "subscribe to: " +
                      inspect(entry));
    }
    subscription.schema = schema.value_or("public");
    if (table && !table->empty()) subscription.table = *table;
    const std::string event = upper(text_member(entry, "event").value_or("*"));
    if (event == "INSERT" || event == "UPDATE" || event == "DELETE") subscription.event = event;
    auto conditions = read_filter(text_member(entry, "filter").value_or(""));
    if (!conditions) return Failure{conditions.error()};
    subscription.conditions = *std::move(conditions);
    const std::string_view select = json_member(entry, "select").value_or("null");
    if (select == "null") return subscription;
    if (!read_select(select, subscription.select)) return refuse(std::string(wants_names));
    if (subscription.schema == "*" || subscription.table == "*") return refuse(std::string(no_wildcard));
    return subscription;
}

} // namespace phx::protocol::realtime
