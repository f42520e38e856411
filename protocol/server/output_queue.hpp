#pragma once

#include "protocol/server/chunk_arena.hpp"
#include "protocol/server/outputs.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol::server {

/// The one queue of a machine, with the memory that its outputs point into. A session owns neither.
class OutputQueue {
public:
    void push(Output output) { queue_.push_back(std::move(output)); }

    /// The next one goes to `output`. False: there is none.
    bool poll(std::optional<Output>& output) {
        if (head_ == queue_.size()) return false;
        output.emplace(std::move(queue_[head_++]));
        if (head_ == queue_.size()) clear();
        return true;
    }

    /// A buffer to append a frame of at most `bytes` to.
    std::string& frame_buffer(std::size_t bytes) { return text_.room(bytes); }
    std::vector<SessionId>& session_buffer(std::size_t count) { return sessions_.room(count); }

    /// A copy that lives as long as the outputs do.
    std::string_view keep(std::string_view text) {
        std::string& buffer = text_.room(text.size());
        const std::size_t begin = buffer.size();
        buffer.append(text);
        return std::string_view(buffer).substr(begin);
    }

    /// Ends the views of all outputs. Does nothing while some are still to be polled.
    bool reset() {
        if (!queue_.empty()) return false;
        text_.reset();
        sessions_.reset();
        return true;
    }

private:
    static constexpr std::size_t max_kept_outputs = 8192;

    void clear() {
        queue_.clear();
        head_ = 0;
        if (queue_.capacity() > max_kept_outputs) queue_ = {};
    }

    std::vector<Output> queue_;
    std::size_t head_ = 0;
    ChunkArena<std::string> text_{64u << 10};
    ChunkArena<std::vector<SessionId>> sessions_{4096};
};

} // namespace phx::protocol::server
