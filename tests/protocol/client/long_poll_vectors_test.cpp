#include "phx/protocol/base64.hpp"
#include "protocol/client/long_poll.hpp"
#include "tests/support/recorded_lines.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

// Fed with what Phoenix was recorded to answer (tests/vectors), the machine asks what was recorded to be
// asked.
namespace phx::protocol {
namespace {

using Json = nlohmann::json;
using long_poll::Lane;
using test::recorded_lines;

/// A machine that lives as long as the recorded session; a new one begins where it is told to.
struct Replay {
    explicit Replay(std::string query) : query_(std::move(query)) { restart(); }

    void restart() {
        LongPollConfig config;
        config.url = *parse_url("http://localhost/socket/longpoll?" + query_);
        machine = std::make_unique<LongPollMachine>(std::move(config));
        machine->open({});
        drain();
    }
    void drain() {
        while (auto report = machine->poll()) {
            if (auto* request = std::get_if<long_poll::Request>(&*report)) {
                requests[request->lane == Lane::push] = std::move(*request);
            } else if (const auto* message = std::get_if<long_poll::Message>(&*report)) {
                messages.emplace_back(message->text);
            } else if (const auto* closed = std::get_if<long_poll::Closed>(&*report)) {
                how = closed->how;
            }
        }
    }
    void send(const Json& request) {
        std::istringstream body(request["body"].get<std::string>());
        const bool is_batch = request["headers"]["content-type"] == "application/x-ndjson";
        for (std::string line; std::getline(body, line);) {
            const bool is_binary = is_batch && line.front() != '[';
            ASSERT_TRUE(is_binary ? machine->send(Opcode::binary, *base64_decode(line))
                                  : machine->send(Opcode::text, line));
        }
        machine->flush({});
        drain();
    }
    void compare(Lane lane, const Json& recorded) {
        const long_poll::Request& request = requests[lane == Lane::push];
        EXPECT_EQ(request.method, recorded["method"]);
        EXPECT_EQ(request.target, recorded["path"]);
        if (lane == Lane::poll) return;
        EXPECT_EQ(request.body, recorded["body"]);
        EXPECT_EQ(request.headers.back().second, recorded["headers"]["content-type"]);
    }
    void answer(Lane lane, const Json& recorded) {
        HttpResponse response{.status = recorded["status"]};
        for (const auto& [name, value] : recorded["headers"].items())
            response.headers.emplace_back(name, value.get<std::string>());
        machine->handle_answer({}, lane, response, recorded["body"]);
        drain();
    }

    std::string query_;
    std::unique_ptr<LongPollMachine> machine;
    long_poll::Request requests[2];
    std::vector<std::string> messages;
    CloseInfo how;
};

TEST(LongPollVectors, AsksWhatWasRecorded) {
    for (const std::string version : {"1", "2"}) {
        Replay replay("vsn=" + version + ".0.0");
        const std::vector<Json> records = recorded_lines("phoenix/v" + version + "_longpoll.jsonl");
        ASSERT_FALSE(records.empty());
        Json opening; // the answer that opened the session
        int compared = 0;
        for (std::size_t i = 0; i + 1 < records.size(); ++i) {
            if (records[i].value("text", "").starts_with("bad tokens")) break; // which no client sends
            if (records[i]["kind"] != "http_request" || records[i]["method"] == "OPTIONS") continue;
            const Lane lane = records[i]["method"] == "POST" ? Lane::push : Lane::poll;
            if (lane == Lane::push) replay.send(records[i]);
            replay.compare(lane, records[i]);
            ++compared;
            const Json& answer = records[i + 1];
            replay.answer(lane, answer);
            if (opening.is_null()) opening = answer;
            if (answer["status"] == 200) {
                EXPECT_FALSE(replay.how.error);
                continue;
            }
            EXPECT_EQ(replay.how.code, 1011); // the recorder went on with the session
            replay.how = {};
            replay.restart();
            replay.answer(Lane::poll, opening);
        }
        EXPECT_EQ(compared, version == "1" ? 6 : 10);
        EXPECT_EQ(replay.messages.size(), version == "1" ? 2u : 4u);
        for (const std::string& message : replay.messages) EXPECT_NE(message.find("phx_reply"), message.npos);
    }
}

TEST(LongPollVectors, UnderstandsWhatBadTokensAndBodiesAreAnswered) {
    for (const std::string name : {"v1_longpoll", "v2_longpoll"}) {
        const std::vector<Json> records = recorded_lines("phoenix/" + name + ".jsonl");
        std::size_t i = 0;
        while (!records.at(i).value("text", "").starts_with("bad tokens")) ++i;
        std::vector<int> codes;
        for (; i + 1 < records.size(); ++i) {
            if (records[i]["kind"] != "http_request") continue;
            Replay replay("vsn=2.0.0");
            const Lane lane = records[i]["method"] == "POST" ? Lane::push : Lane::poll;
            replay.answer(Lane::poll, records.at(2));
            if (lane == Lane::push) replay.send(records[i]);
            replay.answer(lane, records[i + 1]);
            codes.push_back(replay.how.code);
            ++i;
        }
        // A dead session, a bad token, a refused connect; the malformed body, and the session that it killed.
        EXPECT_EQ(codes, (std::vector<int>{3410, 3410, 1008, 1011, 3410}));
    }
}

} // namespace
} // namespace phx::protocol
