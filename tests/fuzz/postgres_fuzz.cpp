#include "phx/protocol/codec.hpp"
#include "phx/realtime/system_message.hpp"
#include "protocol/realtime/postgres.hpp"
#include "tests/fuzz/codec_fuzz_support.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace phx;
using realtime::PostgresChangeText;
using realtime::PostgresNumbers;

void check_error(const Error& error, Errc expected) {
    fuzz::require(error.code == expected, "the promised code");
    fuzz::require(error.origin == Origin::peer, "it is the peer's fault");
    fuzz::require(!error.message.empty() && error.message.size() < 200, "a short message");
}

void check_row(const std::string& row) {
    fuzz::require(row.starts_with('{'), "a row is an object");
    fuzz::require(protocol::validate_json(row, 8192).has_value(), "a row is JSON");
}

void check_event(std::string_view payload) {
    const auto event = protocol::realtime::read_postgres_event(payload, PostgresNumbers::as_json);
    const auto exact = protocol::realtime::read_postgres_event(payload, PostgresNumbers::exact_as_text);
    fuzz::require(event.has_value() == exact.has_value(), "numbers decide nothing");
    if (!event) return check_error(event.error(), Errc::invalid_payload);
    for (const PostgresChangeText* const change : {&event->change, &exact->change}) {
        check_row(change->new_row);
        check_row(change->old_row);
    }
    fuzz::require(event->ids == exact->ids, "the same ids");
}

void check_bindings(std::string_view response) {
    const auto ids =
        protocol::realtime::read_binding_ids({{"*", "public", "todos"}, {"INSERT", "s"}}, response);
    if (!ids) return check_error(ids.error(), Errc::binding_mismatch);
    fuzz::require(ids->size() == 2, "an id for each");
}

void check_system_message(std::string_view payload) {
    const auto message = realtime::SystemMessage::parse(payload);
    if (!message) return check_error(message.error(), Errc::invalid_payload);
    fuzz::require(message->text == payload, "the whole text");
    fuzz::require(!(message->ends_channel() && message->is_subscribed_to_postgres()), "one or the other");
}

} // namespace

/// Each input is taken for a postgres_changes event, the response of a join and a system message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of exactly this size: the sanitizer sees a read past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size != 0) std::memcpy(copy.get(), data, size);
    const std::string_view payload(copy.get(), size);
    check_event(payload);
    check_bindings(payload);
    check_system_message(payload);
    return 0;
}
