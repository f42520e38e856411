// Changes of a database: which rows, exact numbers; and broadcasts by HTTP. A server in the process stands
// for the project: it has no database, so it reports one change that it made up, and takes nothing by HTTP.
#include <phx/phx.hpp>
#include <phx/realtime.hpp>
#include <phx/server/server.hpp>

#include <future>
#include <iostream>
#include <map>
#include <string>
#include <vector>

using phx::Json;
using phx::realtime::ChangeKind;
using phx::realtime::column;
using phx::realtime::Filter;
using phx::realtime::PostgresChange;
using phx::realtime::RealtimeChannel;
using phx::realtime::RealtimeClient;

/// Answers as Supabase does: an id for each subscription, then a change for the first.
phx::server::JoinAnswer pretend(const phx::server::Context&, phx::server::PayloadView params) {
    Json accepted = phx::parse_json(params.data).value()["config"]["postgres_changes"];
    for (std::size_t i = 0; i < accepted.size(); ++i) accepted[i]["id"] = i + 1;
    auto answer = phx::server::JoinAnswer::ok(Json{{"postgres_changes", accepted}}.dump());
    answer.then.push("system", R"({"status":"ok","extension":"postgres_changes","channel":"shop",)"
                               R"("message":"Subscribed to PostgreSQL"})");
    answer.then.push("postgres_changes",
                     R"({"ids":[1],"data":{"schema":"public","table":"orders","type":"UPDATE","errors":null,)"
                     R"("commit_timestamp":"2026-01-02T03:04:05.678Z",)"
                     R"("columns":[{"name":"id","type":"int8"},{"name":"price","type":"numeric"}],)"
                     R"("record":{"id":9007199254740993,"price":1234567890.123456789012},)"
                     R"("old_record":{"id":9007199254740993}}})");
    return answer;
}

/// Every comparison. Values are quoted where the server needs it.
std::vector<Filter> filters() {
    const std::vector<int> rooms = {1, 2, 3};
    const std::vector<phx::realtime::FilterValue> names = {"ada", "bob, the builder"};
    return {
        Filter(), // every row
        column("id").eq(5),
        column("id").neq(5),
        column("price").gt(9.99) && column("price").lte(100),
        column("price").gte(10) && column("price").lt(20),
        column("name").like("a%") && !column("name").ilike("%TEST%"),
        column("name").match("^a.*z$") && column("name").imatch("^b"),
        column("owner").is_distinct("ada"),
        column("owner").is_null(),
        column("is_paid").is_true(),
        column("is_paid").is_false() && !column("is_open").is_unknown(),
        column("state").in({"new", "paid"}),
        column("room").in(rooms) && column("name").in(names),
        "price=gte.10,name=not.in.(a,b)", // Supabase's own form
    };
}

void print(const PostgresChange& change) {
    std::cout << to_string(change.kind()) << ' ' << change.schema() << '.' << change.table() << " at "
              << change.commit_timestamp() << ": " << change.old_text() << " -> " << change.new_text()
              << '\n';
    for (const auto& column : change.columns())
        std::cout << "  " << column.name << ' ' << column.type << '\n';
    for (const std::string& error : change.errors()) std::cout << "  not complete: " << error << '\n';
}

using Row = std::map<std::string, std::string>;

/// What the handlers write to: it outlives the client.
struct Seen {
    std::promise<PostgresChange> changed;
    std::promise<void> ready;
};

bool listen(RealtimeClient& client, Seen& seen) {
    phx::realtime::RealtimeChannelOptions options;
    options.numbers = phx::realtime::PostgresNumbers::exact_as_text; // no double holds these
    const RealtimeChannel shop = client.channel("shop", std::move(options));
    shop.on_postgres_changes({ChangeKind::update, "public", "orders", column("price").gte(10)},
                             [&](const PostgresChange& change) { seen.changed.set_value(change); })
        .on_postgres_changes({.kind = ChangeKind::remove, .table = "orders", .select = {"id"}}, print)
        .on_system([&](const phx::realtime::SystemMessage& message) {
            if (message.is_subscribed_to_postgres()) seen.ready.set_value(); // changes arrive from now on
        });
    if (const auto subscribed = shop.subscribe().wait(); !subscribed) {
        std::cerr << subscribed.error().message << '\n';
        return false;
    }
    seen.ready.get_future().wait();
    const PostgresChange change = seen.changed.get_future().get(); // it owns its rows
    print(change);
    const auto row = change.new_row();
    const auto now = change.new_as<Row>();
    const auto key = change.old_as<Row>();
    return row && (*row)["price"] == "1234567890.123456789012" && now && key &&
           now->at("id") == "9007199254740993" && change.old_row().value()["id"] == key->at("id");
}

/// Without a subscription, for a message now and then. Whether it is refused for its rights, by a limit or by
/// a server that has no such function, is in the error.
bool report(const phx::Push& push) {
    const auto sent = push.wait();
    if (sent) return true;
    std::cout << "not sent: " << sent.error().message << '\n';
    return sent.error().code == phx::Errc::rejected;
}

bool send_by_http(RealtimeClient& client) {
    const RealtimeChannel shop = client.channel("shop");
    const phx::Millis soon(5'000);
    const bool is_one_reported = report(shop.http_send("sale", {{"percent", 20}}, soon)) &&
                                 report(shop.http_send_text("sale", R"({"percent":20})", soon)) &&
                                 report(shop.http_send_binary("picture", phx::as_binary("\x89PNG"), soon));
    const std::vector<phx::realtime::HttpBroadcast> both = {
        {.channel = "shop", .event = "sale", .payload = {{"percent", 20}}},
        {.channel = "staff", .event = "sale", .payload = {{"percent", 20}}, .is_private = true},
    };
    return is_one_reported && report(client.http_send(both, soon)); // one request
}

int main() {
    phx::server::Server server;
    phx::server::Handlers table;
    table.join = pretend;
    server.channel("realtime:shop", table);
    const std::string url = "http://127.0.0.1:" + std::to_string(server.start().value());

    for (const Filter& filter : filters()) {
        phx::realtime::PostgresFilter wanted{ChangeKind::insert, "public", "orders", filter};
        std::cout << filter.text() << '\n';
        if (to_binding(wanted).filter != filter.text()) return 1; // what goes into the join
    }
    const phx::realtime::Condition condition = !column("name").eq(phx::realtime::FilterValue("a,b").text());
    if (Filter(condition) != Filter(condition.text())) return 1;
    if (!matches(ChangeKind::all, ChangeKind::insert)) return 1;

    Seen seen;
    phx::Loop loop;
    phx::realtime::RealtimeOptions options;
    options.api_key = "the project's secret key";
    RealtimeClient client(loop, url, std::move(options));
    return listen(client, seen) && send_by_http(client) ? 0 : 1;
}
