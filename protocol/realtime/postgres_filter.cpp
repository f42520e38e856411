#include "phx/realtime/postgres_filter.hpp"

#include "protocol/wire/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <system_error>

namespace phx::realtime {
namespace {

constexpr std::size_t max_in_values = 100; // Supabase's

// Unicode's White_Space outside ASCII: the server trims conditions with String.trim.
constexpr std::string_view wide_spaces[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80",
                                            "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
                                            "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
                                            "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                            "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool has_space_around(std::string_view text) noexcept {
    if (text.empty()) return false;
    if (is_space(text.front()) || is_space(text.back())) return true;
    return std::any_of(std::begin(wide_spaces), std::end(wide_spaces), [text](std::string_view space) {
        return text.starts_with(space) || text.ends_with(space);
    });
}

bool is_blank(std::string_view text) noexcept { return std::all_of(text.begin(), text.end(), is_space); }

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    for (const char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
    }
    out.push_back('"');
}

/// subscriptions.ex splits at commas outside parentheses and quotes; realtime-js quotes the same values.
bool needs_quotes(std::string_view value) noexcept {
    return value.find_first_of(",()\"\\") != value.npos || has_space_around(value);
}

/// The list of `in` becomes the text of a PostgreSQL array, in which braces, an empty element and NULL have a
/// meaning too.
bool needs_quotes_in_list(std::string_view value) noexcept {
    constexpr std::string_view null = "null";
    const auto same = [](char a, char b) { return (a | 0x20) == b; };
    return value.empty() || value.find_first_of("{}") != value.npos || needs_quotes(value) ||
           std::equal(value.begin(), value.end(), null.begin(), null.end(), same);
}

template <class T> std::string shortest_digits(T value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    if (value == 0) return "0";
    const bool is_plain = std::abs(value) >= T(1e-6) && std::abs(value) < T(1e21); // as JavaScript
    std::array<char, 64> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                      is_plain ? std::chars_format::fixed : std::chars_format::scientific);
    return std::string(buffer.data(), result.ptr);
}

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

void require_utf8(const std::string& text) {
    require(protocol::is_utf8(text), "a postgres_changes filter is not UTF-8");
}

} // namespace

std::string FilterValue::digits(double value) { return shortest_digits(value); }
std::string FilterValue::digits(float value) { return shortest_digits(value); }

std::string Condition::text() const {
    std::string text = column_;
    text.append(negated_ ? "=not." : "=").append(comparison_).append(".").append(value_);
    return text;
}

FilterColumn::FilterColumn(std::string_view name) : name_(name) {
    require(!name.empty(), "column(): a column needs a name");
    require(name.find_first_of("=,()\"") == name.npos && !has_space_around(name),
            "column(): a filter cannot name a column with one of = , ( ) \" or with space around it");
}

Condition FilterColumn::compare(std::string_view comparison, const FilterValue& value) const {
    std::string text;
    if (needs_quotes(value.text())) {
        append_quoted(text, value.text());
    } else {
        text = value.text();
    }
    return Condition(name_, comparison, std::move(text));
}

Condition FilterColumn::in(const std::vector<FilterValue>& values) const {
    require(!values.empty(), "in(): needs at least one value");
    std::vector<std::string_view> kept;
    std::string text = "(";
    for (const FilterValue& value : values) {
        if (std::find(kept.begin(), kept.end(), value.text()) != kept.end()) continue;
        require(kept.size() < max_in_values, "in(): more than 100 values");
        if (!kept.empty()) text.push_back(',');
        kept.push_back(value.text());
        if (needs_quotes_in_list(value.text())) {
            append_quoted(text, value.text());
        } else {
            text.append(value.text());
        }
    }
    return Condition(name_, "in", std::move(text.append(")")));
}

Filter operator&&(Filter left, const Filter& right) {
    if (is_blank(right.text())) return left;
    if (is_blank(left.text())) return right;
    return left.text() + ',' + right.text();
}

protocol::PostgresBinding to_binding(const PostgresFilter& wanted) {
    require(!wanted.schema.empty(), "postgres_changes need a schema; \"*\" means all");
    require(!wanted.table.empty() || is_blank(wanted.filter.text()),
            "a postgres_changes filter needs a table");
    const bool is_one_table = wanted.schema != "*" && !wanted.table.empty() && wanted.table != "*";
    require(wanted.select.empty() || is_one_table, "select needs one schema and one table by name");
    for (const std::string* const text : {&wanted.schema, &wanted.table, &wanted.filter.text()})
        require_utf8(*text);
    for (const std::string& name : wanted.select) require_utf8(name);
    return {std::string(to_string(wanted.kind)), wanted.schema, wanted.table, wanted.filter.text(),
            wanted.select};
}

} // namespace phx::realtime
