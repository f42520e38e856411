#pragma once

#include "phx/result.hpp"
#include "phx/server/change.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace phx::protocol::server {

/// Of one request: they are emitted in one go.
inline constexpr std::size_t max_rest_changes = 1000;

/// The body of `POST /api/changes`: one change, or `{"changes":[...]}`. REQUIRES valid JSON.
///
/// A change has what `postgres_changes` brings: `type` ("INSERT", "UPDATE", "DELETE"), `schema` ("public"),
/// `table`, `columns` (`name`, `type`, and our own `primary_key`), `record` (of what is left by the change),
/// `old_record`, `commit_timestamp`, `errors`. Other members are not looked at.
///
/// Errors: invalid_payload; the message names the first member that is wrong, such as "changes[2].type".
Result<std::vector<phx::server::Change>> read_changes(std::string_view json);

} // namespace phx::protocol::server
