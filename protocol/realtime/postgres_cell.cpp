#include "protocol/realtime/postgres_cell.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/postgres_array.hpp"
#include "protocol/wire/json_text.hpp"

#include <cstdint>

namespace phx::protocol::realtime {
namespace {

enum class CellKind : std::uint8_t { boolean, number, exact_number, json, timestamp, other };

CellKind kind_of(std::string_view type) noexcept {
    if (type == "bool") return CellKind::boolean;
    if (type == "int8" || type == "numeric") return CellKind::exact_number;
    for (const std::string_view name : {"int2", "int4", "float4", "float8", "oid"})
        if (type == name) return CellKind::number;
    if (type == "json" || type == "jsonb") return CellKind::json;
    return type == "timestamp" ? CellKind::timestamp : CellKind::other;
}

bool begins_number(char c) noexcept { return c == '-' || (c >= '0' && c <= '9'); }

bool is_number(std::string_view text) noexcept {
    wire::JsonReader reader(text, 1);
    std::string_view number;
    return !text.empty() && begins_number(text.front()) && reader.value(number) && number == text;
}

/// A copy of JSON text with its numbers between quotes.
void append_with_quoted_numbers(std::string& out, std::string_view json) {
    std::size_t at = 0;
    while (at < json.size()) {
        const std::size_t stop = json.find_first_of("\"-0123456789", at);
        if (stop == json.npos) break;
        out.append(json.substr(at, stop - at));
        at = stop;
        wire::JsonReader reader(json.substr(at), 1);
        std::string_view scalar;
        if (!reader.value(scalar)) break; // not in JSON
        const bool is_string = json[at] == '"';
        at += scalar.size();
        if (is_string) {
            out.append(scalar);
        } else {
            out.append("\"").append(scalar).append("\"");
        }
    }
    out.append(json.substr(at));
}

/// Appends what a text of this kind of column stands for. False, and nothing is appended, if it is just a
/// text.
bool append_meaning(std::string& out, CellKind kind, std::string_view text, PostgresNumbers numbers) {
    switch (kind) {
    case CellKind::boolean:
        if (text != "t" && text != "f") return false;
        out.append(text == "t" ? "true" : "false");
        return true;
    case CellKind::exact_number:
        if (numbers == PostgresNumbers::exact_as_text) return false;
        [[fallthrough]];
    case CellKind::number:
        if (!is_number(text)) return false;
        out.append(text);
        return true;
    case CellKind::json:
        if (!validate_json(text)) return false;
        out.append(text);
        return true;
    case CellKind::timestamp: {
        const std::size_t space = text.find(' ');
        if (space == text.npos) return false;
        std::string iso(text);
        iso[space] = 'T';
        append_json_string(out, iso);
        return true;
    }
    case CellKind::other: break;
    }
    return false;
}

/// False, and nothing is appended, if the text is no array.
bool append_array(std::string& out, CellKind kind, std::string_view text, PostgresNumbers numbers) {
    using Token = PostgresArrayReader::Token;
    const std::size_t before = out.size();
    PostgresArrayReader reader(text);
    for (;;) {
        switch (reader.next()) {
        case Token::open: out.push_back('['); break;
        case Token::close: out.push_back(']'); break;
        case Token::comma: out.push_back(','); break;
        case Token::null: out.append("null"); break;
        case Token::element:
            if (!append_meaning(out, kind, reader.element(), numbers))
                append_json_string(out, reader.element());
            break;
        case Token::end: return true;
        case Token::error: out.resize(before); return false;
        }
    }
}

} // namespace

void append_cell(std::string& out, std::string_view type, std::string_view value, PostgresNumbers numbers) {
    const bool is_array = type.starts_with('_') && type != "_box"; // whose elements are separated by ;
    const CellKind kind = kind_of(is_array ? type.substr(1) : type);
    if (value.front() == '"') {
        std::string scratch;
        const std::string_view text = unquote(JsonToken{value}, scratch);
        const bool done =
            is_array ? append_array(out, kind, text, numbers) : append_meaning(out, kind, text, numbers);
        if (!done) out.append(value);
    } else if (kind == CellKind::exact_number && numbers == PostgresNumbers::exact_as_text &&
               (is_array || is_number(value))) {
        append_with_quoted_numbers(out, value);
    } else {
        out.append(value);
    }
}

} // namespace phx::protocol::realtime
