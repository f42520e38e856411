#include "protocol/realtime/postgres_condition.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <system_error>
#include <utility>

namespace phx::protocol::realtime {
namespace {

using Operator = PostgresCondition::Operator;
using Order = std::partial_ordering;

constexpr std::size_t max_list = 100; // Supabase's

constexpr std::pair<std::string_view, Operator> operators[] = {{"eq", Operator::eq},
                                                               {"neq", Operator::neq},
                                                               {"lt", Operator::lt},
                                                               {"lte", Operator::lte},
                                                               {"gt", Operator::gt},
                                                               {"gte", Operator::gte},
                                                               {"in", Operator::in},
                                                               {"like", Operator::like},
                                                               {"ilike", Operator::ilike},
                                                               {"is", Operator::is},
                                                               {"match", Operator::match},
                                                               {"imatch", Operator::imatch},
                                                               {"isdistinct", Operator::isdistinct}};

Failure refuse(const std::string& what) {
    return fail(Errc::invalid_payload, "Error parsing `filter` params: " + what, Origin::peer);
}

/// Elixir's inspect() of a list of texts.
std::string inspect(std::initializer_list<std::string_view> parts) {
    static constexpr std::size_t max_part = 128;
    std::string out = "[";
    for (const std::string_view part : parts) {
        if (out.size() > 1) out += ", ";
        out.push_back('"');
        if (part.size() > max_part) {
            out.append("...");
        } else {
            for (const char c : part) {
                if (c == '"' || c == '\\') out.push_back('\\');
                out.push_back(c);
            }
        }
        out.push_back('"');
    }
    return out.append("]");
}

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// Up to the next comma outside quotes and parentheses, which is taken too.
std::string_view take_part(std::string_view& rest) noexcept {
    bool quoted = false;
    int depth = 0;
    std::size_t i = 0;
    for (; i < rest.size(); ++i) {
        const char c = rest[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '(') {
            ++depth;
        } else if (!quoted && c == ')') {
            --depth;
        } else if (!quoted && c == ',' && depth <= 0) {
            break;
        }
    }
    i = std::min(i, rest.size());
    const std::string_view part = rest.substr(0, i);
    rest.remove_prefix(std::min(i + 1, rest.size()));
    return part;
}

std::string without_quotes(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
    std::string out;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\\' && i + 2 < text.size()) ++i;
        out.push_back(text[i]);
    }
    return out;
}

Result<void> read_list(PostgresCondition& condition) {
    const std::string& value = condition.value;
    if (value.size() < 2 || value.front() != '(' || value.back() != ')')
        return refuse("`in` filter value must be wrapped by parentheses");
    std::string_view rest = std::string_view(value).substr(1, value.size() - 2);
    while (!rest.empty()) {
        if (condition.list.size() == max_list) return refuse("`in` filter takes 100 values at the most");
        const std::string_view part = trim(take_part(rest));
        if (!part.empty()) condition.list.push_back(without_quotes(part));
    }
    return {};
}

Result<void> read_value(PostgresCondition& condition, std::string_view value) {
    condition.value = value;
    const bool ignores = condition.comparison == Operator::ilike || condition.comparison == Operator::imatch;
    const LetterCase letters = ignores ? LetterCase::ignored : LetterCase::matters;
    switch (condition.comparison) {
    case Operator::in: return read_list(condition);
    case Operator::like:
    case Operator::ilike:
        condition.value = without_quotes(value);
        condition.pattern = TextPattern::like(condition.value, letters);
        break;
    case Operator::match:
    case Operator::imatch:
        condition.value = without_quotes(value);
        condition.pattern = TextPattern::regex(condition.value, letters);
        break;
    default: condition.value = without_quotes(value); return {};
    }
    if (condition.pattern) return {};
    return refuse("a pattern that is malformed or too long: " + inspect({value}));
}

Result<PostgresCondition> read_condition(std::string_view text) {
    PostgresCondition condition;
    const std::size_t equals = text.find('=');
    if (equals == text.npos) return refuse(inspect({text}));
    condition.column = trim(text.substr(0, equals));
    std::string_view rest = text.substr(equals + 1);
    if (rest.starts_with("not.")) {
        condition.negated = true;
        rest.remove_prefix(4);
    }
    const std::size_t dot = rest.find('.');
    if (dot == rest.npos) return refuse(inspect({rest}));
    const auto found = std::find_if(std::begin(operators), std::end(operators),
                                    [&](const auto& known) { return known.first == rest.substr(0, dot); });
    if (found == std::end(operators)) return refuse(inspect({rest.substr(0, dot), rest.substr(dot + 1)}));
    condition.comparison = found->second;
    if (const auto read = read_value(condition, rest.substr(dot + 1)); !read) return Failure{read.error()};
    return condition;
}

// ---- values

enum class TypeClass : std::uint8_t { number, boolean, uuid, text };

TypeClass class_of(std::string_view type) noexcept {
    static constexpr std::string_view numbers[] = {"int2",   "int4",    "int8", "float4",
                                                   "float8", "numeric", "oid"};
    if (std::find(std::begin(numbers), std::end(numbers), type) != std::end(numbers))
        return TypeClass::number;
    if (type == "bool") return TypeClass::boolean;
    return type == "uuid" ? TypeClass::uuid : TypeClass::text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

template <class T> std::optional<T> number(std::string_view text) {
    T value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && stop == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<bool> boolean(std::string_view text) {
    static constexpr std::string_view yes[] = {"t", "true", "y", "yes", "on", "1"};
    static constexpr std::string_view no[] = {"f", "false", "n", "no", "off", "0"};
    const std::string name = lower(trim(text));
    if (std::find(std::begin(yes), std::end(yes), name) != std::end(yes)) return true;
    if (std::find(std::begin(no), std::end(no), name) != std::end(no)) return false;
    return std::nullopt;
}

/// Unordered: one of them is no value of the type.
Order compare(TypeClass type, const std::string& value, const std::string& with) {
    if (type == TypeClass::number) {
        const std::string_view a = trim(value), b = trim(with);
        const auto whole_a = number<std::int64_t>(a), whole_b = number<std::int64_t>(b);
        if (whole_a && whole_b) return *whole_a <=> *whole_b;
        const auto real_a = number<double>(a), real_b = number<double>(b);
        return real_a && real_b ? *real_a <=> *real_b : Order::unordered;
    }
    if (type == TypeClass::boolean) {
        const auto a = boolean(value), b = boolean(with);
        return a && b ? Order(*a <=> *b) : Order::unordered;
    }
    return type == TypeClass::uuid ? Order(lower(value) <=> lower(with)) : Order(value <=> with);
}

std::string text_of(std::string_view json) { return json_string(json).value_or(std::string(json)); }

/// `is` looks at null and at the truth of a boolean.
bool is(const PostgresCondition& condition, bool is_null, const PostgresValue& value) {
    const std::string what = lower(condition.value);
    if (what == "true" || what == "false") return !is_null && value.json == what;
    return (what == "null" || what == "unknown") && is_null;
}

bool compares(const PostgresCondition& condition, TypeClass type, const std::string& value) {
    const Order order = compare(type, value, condition.value);
    switch (condition.comparison) {
    case Operator::eq: return std::is_eq(order);
    case Operator::neq: return std::is_lt(order) || std::is_gt(order);
    case Operator::lt: return std::is_lt(order);
    case Operator::lte: return std::is_lteq(order);
    case Operator::gt: return std::is_gt(order);
    case Operator::gte: return std::is_gteq(order);
    case Operator::in:
        return std::any_of(condition.list.begin(), condition.list.end(),
                           [&](const std::string& one) { return std::is_eq(compare(type, value, one)); });
    default: return condition.pattern && condition.pattern->matches(value);
    }
}

/// Whether the filter's text is of the type at all.
bool fits(const PostgresCondition& condition, TypeClass type) {
    if (condition.pattern || type == TypeClass::text || type == TypeClass::uuid) return true;
    const auto valid = [type](const std::string& text) { return std::is_eq(compare(type, text, text)); };
    return condition.comparison == Operator::in
               ? std::all_of(condition.list.begin(), condition.list.end(), valid)
               : valid(condition.value);
}

} // namespace

Result<std::vector<PostgresCondition>> read_filter(std::string_view filter) {
    std::vector<PostgresCondition> conditions;
    if (trim(filter).empty()) return conditions;
    for (std::string_view rest = filter; !rest.empty();) {
        const bool ends_in_comma = rest.back() == ',';
        const std::string_view part = trim(take_part(rest));
        if (part.empty() || (rest.empty() && ends_in_comma))
            return refuse("filter must not contain empty segments (check for extra commas)");
        auto condition = read_condition(part);
        if (!condition) return Failure{condition.error()};
        conditions.push_back(*std::move(condition));
    }
    return conditions;
}

bool holds(const PostgresCondition& condition, PostgresValue value) {
    const bool is_null = value.json.empty() || value.json == "null";
    if (condition.comparison == Operator::is) return is(condition, is_null, value) != condition.negated;
    const TypeClass type = class_of(value.type);
    if (condition.comparison == Operator::isdistinct) {
        if (!fits(condition, type)) return false;
        const bool distinct = is_null || !std::is_eq(compare(type, text_of(value.json), condition.value));
        return distinct != condition.negated;
    }
    if (is_null || !fits(condition, type)) return false;
    return compares(condition, type, text_of(value.json)) != condition.negated;
}

} // namespace phx::protocol::realtime
