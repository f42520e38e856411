#pragma once

#include "phx/protocol/codec.hpp"
#include "phx/protocol/frame.hpp"
#include "tests/support/recorded_lines.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

/// Frames of the recordings in tests/vectors/supabase, with their payloads as they were on the wire.
namespace phx::protocol::realtime {

struct RecordedFrame {
    std::string where;      ///< file and line
    std::string connection; ///< a label
    bool to_server = false;
    std::string topic = {};
    std::string event = {};
    std::string status = {}; ///< of a reply
    std::string payload = {};
};

inline std::vector<nlohmann::json> recorded_lines(const std::string& name) {
    return test::recorded_lines("supabase/" + name);
}

/// Every text frame that was recorded whole.
inline std::vector<RecordedFrame> recorded_frames(const std::string& name) {
    std::vector<RecordedFrame> frames;
    int number = 0;
    for (const nlohmann::json& line : recorded_lines(name)) {
        ++number;
        if (line.value("op", "") != "text" || !line["text"].is_string()) continue;
        const std::string text = line["text"];
        const bool to_server = line["dir"] == "out";
        std::string scratch;
        const auto frame =
            decode(text.starts_with('[') ? Vsn::v2 : Vsn::v1,
                   to_server ? Direction::to_server : Direction::to_client, Opcode::text, text, scratch);
        if (!frame) continue;
        frames.push_back({name + ":" + std::to_string(number), line.value("conn", ""), to_server,
                          std::string(frame->topic), std::string(frame->event),
                          std::string(frame->status.value_or("")), std::string(frame->payload)});
    }
    return frames;
}

inline const std::vector<std::string> recordings = {"01_v1_connect_join_leave.jsonl",
                                                    "02_v2_connect_join_leave.jsonl",
                                                    "04_join_errors.jsonl",
                                                    "07_access_token.jsonl",
                                                    "08_postgres_changes.jsonl",
                                                    "09_private.jsonl",
                                                    "11_limits_events_joins_suspend.jsonl",
                                                    "11a_limits.jsonl",
                                                    "15_realtime_js_2.119.0.jsonl",
                                                    "19_pg_filters_and_privileges.jsonl"};

inline const std::vector<RecordedFrame>& all_recorded_frames() {
    static const std::vector<RecordedFrame> all = [] {
        std::vector<RecordedFrame> frames;
        for (const std::string& name : recordings)
            for (RecordedFrame& frame : recorded_frames(name)) frames.push_back(std::move(frame));
        return frames;
    }();
    return all;
}

} // namespace phx::protocol::realtime
