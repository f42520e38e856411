#pragma once

#include "phx/protocol/codec.hpp"

#include <deque>
#include <gtest/gtest.h>
#include <string>

namespace phx::protocol {

/// Keeps a text for the rest of the program: the views of a frame point into it.
inline const std::string& keep(std::string text) {
    static std::deque<std::string> kept;
    return kept.emplace_back(std::move(text));
}

/// Equal in all that a frame says; the views may point anywhere.
inline void expect_same(const FrameView& a, const FrameView& b) {
    EXPECT_EQ(a.join_ref, b.join_ref);
    EXPECT_EQ(a.ref, b.ref);
    EXPECT_EQ(a.topic, b.topic);
    EXPECT_EQ(a.event, b.event);
    EXPECT_EQ(a.topic_token, b.topic_token);
    EXPECT_EQ(a.event_token, b.event_token);
    EXPECT_EQ(a.user_event, b.user_event);
    EXPECT_EQ(a.metadata, b.metadata);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.payload, b.payload);
}

inline std::string error_of(const Result<FrameView>& result) {
    return result ? "" : std::string(result.error().code.message()) + "; " + result.error().message;
}

} // namespace phx::protocol
