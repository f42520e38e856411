#include "protocol/server/rest_changes.hpp"

#include "protocol/realtime/json_members.hpp"

#include <optional>
#include <string>
#include <utility>

namespace phx::protocol::server {
namespace {

using phx::server::Change;
using realtime::json_member;
using realtime::json_string;
using realtime::JsonElements;

/// Reads the members of one object into what they are for. The first fault stays; what is missing or null
/// leaves its target as it is.
class ObjectReader {
public:
    ObjectReader(std::string_view object, std::string path, std::string& fault)
        : object_(object), path_(std::move(path)), fault_(fault) {
        if (!realtime::is_json_object(object_)) complain("", "must be a JSON object");
    }

    bool has(std::string_view name) const { return value(name).has_value(); }
    void text(std::string_view name, std::string& out) {
        const auto found = value(name);
        if (!found) return;
        auto text = json_string(*found);
        if (!text || text->empty()) return complain(name, "must be a text that is not empty");
        out = *std::move(text);
    }
    void object(std::string_view name, std::string& out) {
        const auto found = value(name);
        if (!found) return;
        if (!realtime::is_json_object(*found)) return complain(name, "must be a JSON object");
        out = *found;
    }
    void truth(std::string_view name, bool& out) {
        const auto found = value(name);
        if (!found) return;
        if (*found != "true" && *found != "false") return complain(name, "must be true or false");
        out = *found == "true";
    }
    /// `each(value, path)` for every element.
    template <class Each> void list(std::string_view name, Each&& each) {
        const auto found = value(name);
        if (!found) return;
        JsonElements elements(*found);
        if (!elements.is_array()) return complain(name, "must be a list");
        std::size_t index = 0;
        for (std::string_view element; fault_.empty() && elements.next(element); ++index)
            each(element, place(name) + '[' + std::to_string(index) + ']');
    }
    void complain(std::string_view name, std::string_view what) {
        if (fault_.empty()) fault_ = place(name) + ' ' + std::string(what);
    }

private:
    std::optional<std::string_view> value(std::string_view name) const {
        auto found = json_member(object_, name);
        if (found && *found == "null") found.reset();
        return found;
    }
    std::string place(std::string_view name) const {
        if (name.empty()) return path_.empty() ? "the body" : path_;
        return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
    }

    std::string_view object_;
    std::string path_;
    std::string& fault_;
};

std::optional<Change::Kind> kind_of(std::string_view type) {
    if (type == "INSERT") return Change::Kind::insert;
    if (type == "UPDATE") return Change::Kind::update;
    if (type == "DELETE") return Change::Kind::remove;
    return std::nullopt;
}

Change read_change(std::string_view json, std::string path, std::string& fault) {
    Change change;
    ObjectReader members(json, std::move(path), fault);
    std::string type;
    members.text("type", type);
    const auto kind = kind_of(type);
    if (!kind) members.complain("type", R"(must be "INSERT", "UPDATE" or "DELETE")");
    change.kind = kind.value_or(Change::Kind::insert);
    members.text("schema", change.schema);
    members.text("table", change.table);
    if (change.table.empty()) members.complain("table", "is missing");
    members.list("columns", [&](std::string_view element, const std::string& place) {
        ObjectReader column(element, place, fault);
        Change::Column& made = change.columns.emplace_back();
        column.text("name", made.name);
        if (made.name.empty()) column.complain("name", "is missing");
        column.text("type", made.type);
        column.truth("primary_key", made.primary_key);
    });
    members.object("record", change.record);
    if (change.kind != Change::Kind::remove && !members.has("record"))
        members.complain("record", "is missing: the row after the change");
    members.object("old_record", change.old_record);
    members.text("commit_timestamp", change.commit_timestamp);
    members.list("errors", [&](std::string_view element, const std::string& place) {
        auto text = json_string(element);
        if (!text) return members.complain("errors", "must be a list of texts; see " + place);
        change.errors.push_back(*std::move(text));
    });
    return change;
}

} // namespace

Result<std::vector<Change>> read_changes(std::string_view json) {
    std::string fault;
    std::vector<Change> changes;
    ObjectReader body(json, "", fault);
    if (!json_member(json, "changes")) {
        if (fault.empty()) changes.push_back(read_change(json, "", fault));
    } else {
        body.list("changes", [&](std::string_view element, const std::string& place) {
            if (changes.size() == max_rest_changes)
                return body.complain("changes", "has more than " + std::to_string(max_rest_changes));
            changes.push_back(read_change(element, place, fault));
        });
        if (changes.empty()) body.complain("changes", "must be a list of at least one change");
    }
    if (!fault.empty()) return fail(Errc::invalid_payload, std::move(fault), Origin::peer);
    return changes;
}

} // namespace phx::protocol::server
