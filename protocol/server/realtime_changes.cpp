#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

namespace phx::protocol::server {
namespace {

using phx::server::Change;
using realtime::PostgresSubscription;
using Names = std::vector<std::string>;

/// What a row has under a name: its JSON text, empty if nothing.
std::string_view cell(std::string_view row, std::string_view name) {
    return realtime::json_member(row, name).value_or(std::string_view());
}

std::string_view to_string(Change::Kind kind) noexcept {
    if (kind == Change::Kind::insert) return "INSERT";
    return kind == Change::Kind::update ? "UPDATE" : "DELETE";
}

/// The row that filters look at.
const std::string& tested_row(const Change& change) noexcept {
    return change.kind == Change::Kind::remove ? change.old_record : change.record;
}

std::string_view type_of(std::string_view json) noexcept {
    if (json == "true" || json == "false") return "bool";
    if (json.starts_with('{') || json.starts_with('[')) return "jsonb";
    if (json == "null" || json.starts_with('"')) return "text";
    return json.find_first_of(".eE") == json.npos ? "int8" : "float8";
}

std::vector<Change::Column> columns_of(std::string_view row) {
    std::vector<Change::Column> columns;
    realtime::JsonMembers members(row);
    std::string scratch;
    for (realtime::JsonMember member; members.next(member);)
        columns.push_back({std::string(unquote(member.name, scratch)), std::string(type_of(member.value))});
    return columns;
}

/// "2026-01-02T03:04:05.678Z"
std::string timestamp(std::int64_t unix_ms) {
    using namespace std::chrono;
    const sys_time<milliseconds> at{milliseconds(unix_ms)};
    const auto day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss<milliseconds> clock(at - day);
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                  static_cast<int>(clock.subseconds().count()));
    return buffer.data();
}

bool matches(const PostgresSubscription& wanted, const Change& change) {
    if (wanted.event != "*" && wanted.event != to_string(change.kind)) return false;
    if (wanted.schema != "*" && wanted.schema != change.schema) return false;
    if (wanted.table != "*" && wanted.table != change.table) return false;
    return std::all_of(wanted.conditions.begin(), wanted.conditions.end(), [&](const auto& condition) {
        const auto column = std::find_if(change.columns.begin(), change.columns.end(),
                                         [&](const auto& c) { return c.name == condition.column; });
        return column != change.columns.end() &&
               realtime::holds(condition, {column->type, cell(tested_row(change), column->name)});
    });
}

/// The payload's `data` for who selects these columns; none of them: all.
class ChangeWriter {
public:
    ChangeWriter(const Change& change, const Names& select) : change_(change), select_(select) {}

    std::string data() const {
        std::string out = "{\"table\":";
        append_json_string(out, change_.table);
        out.append(",\"type\":\"").append(to_string(change_.kind)).append("\"");
        if (change_.kind != Change::Kind::remove) out.append(",\"record\":").append(row(change_.record));
        out.append(",\"columns\":").append(columns()).append(",\"errors\":").append(errors());
        out.append(",\"schema\":");
        append_json_string(out, change_.schema);
        out.append(",\"commit_timestamp\":");
        append_json_string(out, change_.commit_timestamp);
        if (change_.kind != Change::Kind::insert)
            out.append(",\"old_record\":").append(row(change_.old_record));
        return out.append("}");
    }

private:
    bool sends(std::string_view name) const {
        if (select_.empty() || std::find(select_.begin(), select_.end(), name) != select_.end()) return true;
        return std::any_of(change_.columns.begin(), change_.columns.end(),
                           [&](const auto& column) { return column.primary_key && column.name == name; });
    }

    std::string row(const std::string& record) const {
        if (select_.empty()) return record;
        std::string out = "{";
        realtime::JsonMembers members(record);
        std::string scratch;
        for (realtime::JsonMember member; members.next(member);) {
            if (!sends(unquote(member.name, scratch))) continue;
            if (out.size() > 1) out.push_back(',');
            out.append(member.name.text).append(":").append(member.value);
        }
        return out.append("}");
    }

    std::string columns() const {
        std::string out = "[";
        for (const Change::Column& column : change_.columns) {
            if (!sends(column.name)) continue;
            out.append(out.size() > 1 ? ",{\"name\":" : "{\"name\":");
            append_json_string(out, column.name);
            out.append(",\"type\":");
            append_json_string(out, column.type);
            out.push_back('}');
        }
        return out.append("]");
    }

    std::string errors() const {
        if (change_.errors.empty()) return "null";
        std::string out = "[";
        for (const std::string& error : change_.errors) {
            if (out.size() > 1) out.push_back(',');
            append_json_string(out, error);
        }
        return out.append("]");
    }

    const Change& change_;
    const Names& select_;
};

/// Those who get the same frame: version, topic, selected columns, ids.
using Audience = std::tuple<Vsn, TopicIndex, Names, std::string>;

bool is_object(std::string_view text) { return validate_json(text) && realtime::is_json_object(text); }

} // namespace

void ServerMachine::State::subscribe_to_changes(Session& session, Membership& member,
                                                const realtime::JoinRequest& request) {
    if (!request.subscription_error.empty())
        return push_system(session, member, "error", "postgres_changes", request.subscription_error);
    if (request.subscriptions.empty()) return;
    member.realtime->subscriptions = request.subscriptions;
    subscribers.insert(member.id);
    push_system(session, member, "ok", "postgres_changes", "Subscribed to PostgreSQL");
}

void ServerMachine::State::emit(const Change& change) {
    std::map<Audience, std::vector<SessionId>> audiences;
    for (const MemberId id : subscribers) {
        const Membership& member = *members.find(id);
        std::map<Names, std::string> ids_by_select;
        for (const PostgresSubscription& wanted : member.realtime->subscriptions) {
            if (!matches(wanted, change)) continue;
            std::string& list = ids_by_select[wanted.select];
            list.append(list.empty() ? "" : ",").append(std::to_string(wanted.id));
        }
        const Vsn vsn = sessions.find(member.session)->vsn;
        for (auto& [select, list] : ids_by_select)
            audiences[{vsn, member.topic, select, std::move(list)}].push_back(member.session);
    }
    for (const auto& [audience, receivers] : audiences) {
        const auto& [vsn, topic, select, list] = audience;
        const std::string payload =
            "{\"data\":" + ChangeWriter(change, select).data() + ",\"ids\":[" + list + "]}";
        FrameView frame;
        frame.topic = topics[topic].name;
        frame.event = "postgres_changes";
        frame.payload = payload;
        send_to(receivers, vsn, frame);
    }
}

Result<void> check(const Change& change) {
    if (change.table.empty() || change.schema.empty())
        return fail(Errc::invalid_argument, "emit_change(): a change needs a schema and a table");
    if (!is_object(change.record) || !is_object(change.old_record))
        return fail(Errc::invalid_argument, "emit_change(): record and old_record are JSON objects");
    return {};
}

Result<void> ServerMachine::emit_change(TimePoint now, Change change) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    if (auto checked = check(change); !checked) return checked;
    if (change.columns.empty()) change.columns = columns_of(tested_row(change));
    if (change.commit_timestamp.empty()) change.commit_timestamp = timestamp(s.unix_ms());
    s.emit(change);
    return {};
}

} // namespace phx::protocol::server
