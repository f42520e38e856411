#pragma once

#include "phx/protocol/builders.hpp"
#include "phx/realtime/postgres_text.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace phx::protocol::realtime {

using phx::realtime::PostgresChangeText;
using phx::realtime::PostgresNumbers;

/// The payload of a `postgres_changes` event.
struct PostgresEvent {
    std::vector<std::uint64_t> ids = {}; ///< of the bindings that it is for, in no particular order
    PostgresChangeText change = {};
};

/// `{"data":{...},"ids":[...]}`. The rows are converted by the types of their columns, see append_cell(); of
/// what is repeated the first counts. Takes linear time, but for the sorting of the columns, and no
/// recursion. Errors: invalid_payload of Origin::peer.
Result<PostgresEvent> read_postgres_event(std::string_view payload, PostgresNumbers);
/// What is in "data"; the whole payload of the events INSERT, UPDATE and DELETE that channels without a
/// config get. Errors: likewise.
Result<PostgresChangeText> read_postgres_data(std::string_view data, PostgresNumbers);

/// The ids that the server gave to the bindings of a join, in their order, from the response of its reply
/// `{"postgres_changes":[{"id":ID,...},...]}`. Equal bindings have equal ids. As realtime-js does it compares
/// event, schema, table and filter by index; more than was asked for is not looked at. Errors:
/// binding_mismatch of Origin::peer, naming the index and what differs.
Result<std::vector<std::uint64_t>> read_binding_ids(const std::vector<PostgresBinding>& asked,
                                                    std::string_view response);

} // namespace phx::protocol::realtime
