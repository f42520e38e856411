#pragma once

#include "phx/realtime/postgres_text.hpp"

#include <string>
#include <string_view>

namespace phx::protocol::realtime {

using phx::realtime::PostgresNumbers;

/// Appends the value of a column, a JSON value as written, converted as realtime-js does (transformers.ts):
/// texts that stand for a bool, a number, JSON, a timestamp or an array become that, everything else stays.
/// Numbers keep their digits.
///
/// Three differences. realtime-js takes the number at the beginning of a text ("12abc"), here the whole text
/// is a number or it stays text, as do NaN and Infinity, which JSON does not have. Arrays are read by
/// PostgreSQL's rules (quotes, NULL, dimensions), where realtime-js splits at commas. JSON deeper than
/// `Limits::max_depth` stays text.
void append_cell(std::string& out, std::string_view type, std::string_view value, PostgresNumbers);

} // namespace phx::protocol::realtime
