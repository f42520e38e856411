#pragma once

#include "phx/export.hpp"
#include "phx/protocol/builders.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace phx::realtime {

/// What happened to a row, or what is listened for.
enum class ChangeKind : std::uint8_t {
    all, ///< only to listen for
    insert,
    update,
    remove, ///< DELETE
};

/// As Supabase writes it: "*", "INSERT", "UPDATE", "DELETE".
constexpr std::string_view to_string(ChangeKind kind) noexcept {
    switch (kind) {
    case ChangeKind::all: return "*";
    case ChangeKind::insert: return "INSERT";
    case ChangeKind::update: return "UPDATE";
    case ChangeKind::remove: return "DELETE";
    }
    return "*";
}
/// Whether one who asked for `asked` gets a change of the kind `came`.
constexpr bool matches(ChangeKind asked, ChangeKind came) noexcept {
    return asked == ChangeKind::all || asked == came;
}

/// A value to compare a column with: text, a number or a bool. There is no null: nothing equals it; use
/// `is_null()`.
class FilterValue {
public:
    FilterValue(std::string text) : text_(std::move(text)) {}
    FilterValue(std::string_view text) : text_(text) {}
    FilterValue(const char* text) : text_(text) {}
    FilterValue(std::same_as<bool> auto value) : text_(value ? "true" : "false") {}
    /// All digits that it takes to read the same number again; never in the form 1e5, which integer columns
    /// do not take, unless it has more than 21 digits.
    FilterValue(double value) : text_(digits(value)) {}
    FilterValue(float value) : text_(digits(value)) {}
    template <std::integral T>
    requires(!std::same_as<T, bool> && sizeof(T) > 1) FilterValue(T value) : text_(std::to_string(value)) {}
    FilterValue(char) = delete; // its number, or the letter?
    FilterValue(std::nullptr_t) = delete;

    const std::string& text() const noexcept { return text_; }

private:
    PHX_API static std::string digits(double);
    PHX_API static std::string digits(float);

    std::string text_;
};

/// One comparison of a column, made by `column("price").gte(10)`. `!` turns it round.
class Condition {
public:
    /// "price=gte.10", "name=not.in.(a,b)"
    PHX_API std::string text() const;

    friend Condition operator!(Condition condition) {
        condition.negated_ = !condition.negated_;
        return condition;
    }

private:
    friend class FilterColumn;
    Condition(std::string column, std::string_view comparison, std::string value)
        : column_(std::move(column)), comparison_(comparison), value_(std::move(value)) {}

    std::string column_;
    std::string_view comparison_; ///< a literal
    std::string value_;           ///< as it is sent
    bool negated_ = false;
};

/// Names a column in a filter; made by `column()`. Values are quoted where the server needs it. A comparison
/// with a column that is NULL is false, and so is its negation; `is_distinct` alone takes NULL for a value.
class PHX_API FilterColumn {
public:
    /// Throws std::invalid_argument: empty, or a name that no filter can hold, because of one of = , ( ) " or
    /// of space around it.
    explicit FilterColumn(std::string_view name);

    Condition eq(const FilterValue& value) const { return compare("eq", value); }
    Condition neq(const FilterValue& value) const { return compare("neq", value); }
    Condition lt(const FilterValue& value) const { return compare("lt", value); }
    Condition lte(const FilterValue& value) const { return compare("lte", value); }
    Condition gt(const FilterValue& value) const { return compare("gt", value); }
    Condition gte(const FilterValue& value) const { return compare("gte", value); }
    /// LIKE and ILIKE: % stands for any text, _ for any character; ILIKE ignores case.
    Condition like(const FilterValue& pattern) const { return compare("like", pattern); }
    Condition ilike(const FilterValue& pattern) const { return compare("ilike", pattern); }
    /// POSIX regular expressions, anywhere in the text unless anchored; `imatch` ignores case.
    Condition match(const FilterValue& pattern) const { return compare("match", pattern); }
    Condition imatch(const FilterValue& pattern) const { return compare("imatch", pattern); }
    /// IS DISTINCT FROM: another value, or NULL.
    Condition is_distinct(const FilterValue& value) const { return compare("isdistinct", value); }
    Condition is_null() const { return is("null"); }
    Condition is_true() const { return is("true"); }
    Condition is_false() const { return is("false"); }
    /// Of a boolean column: NULL.
    Condition is_unknown() const { return is("unknown"); }

    /// One of the values; what occurs twice is sent once. Throws std::invalid_argument: none, or more than
    /// the server's limit of 100.
    Condition in(const std::vector<FilterValue>& values) const;
    Condition in(std::initializer_list<FilterValue> values) const {
        return in(std::vector<FilterValue>(values));
    }
    /// Of any range of values: `column("id").in(ids)`.
    template <class Range>
    requires requires(const Range& range) { FilterValue(*std::begin(range)); }
    Condition in(const Range& range) const {
        return in(std::vector<FilterValue>(std::begin(range), std::end(range)));
    }

private:
    Condition compare(std::string_view comparison, const FilterValue& value) const;
    Condition is(std::string_view what) const { return Condition(name_, "is", std::string(what)); }

    std::string name_;
};

inline FilterColumn column(std::string_view name) { return FilterColumn(name); }

/// Which rows: all conditions must hold. From conditions,
/// `column("price").gte(10) && !column("name").in({"a", "b,c"})`, or from text in Supabase's form,
/// `"price=gte.10"`, which is sent as it is. On an UPDATE it looks at the new row; of a DELETE it sees what
/// `old_row()` has.
class Filter {
public:
    Filter() = default; ///< every row
    Filter(const Condition& condition) : text_(condition.text()) {}
    Filter(std::string text) : text_(std::move(text)) {}
    Filter(const char* text) : text_(text) {}

    const std::string& text() const noexcept { return text_; }

    friend bool operator==(const Filter&, const Filter&) = default;

private:
    std::string text_;
};

PHX_API Filter operator&&(Filter left, const Filter& right);

/// Which changes: `{ChangeKind::insert, "public", "messages", column("room").eq(5)}`.
struct PostgresFilter {
    ChangeKind kind = ChangeKind::all;
    std::string schema = "public"; ///< "*": all schemas
    std::string table = {};        ///< empty: all tables of the schema
    Filter filter = {};            ///< needs a table
    /// Columns; empty: all. The primary key always comes. Needs one schema and one table.
    std::vector<std::string> select = {};

    friend bool operator==(const PostgresFilter&, const PostgresFilter&) = default;
};

/// What of it goes into the join. Two that are equal there are one subscription. Throws std::invalid_argument
/// for what the server refuses always: no schema, a filter without a table, `select` of several tables, text
/// that is not UTF-8.
PHX_API protocol::PostgresBinding to_binding(const PostgresFilter&);

} // namespace phx::realtime
