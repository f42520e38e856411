#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>

namespace phx::protocol::server {

/// Buffers that grow without moving what they hold, so that views into them live until reset(). Container is
/// a std::string or a std::vector.
template <class Container> class ChunkArena {
public:
    explicit ChunkArena(std::size_t chunk_size) : chunk_size_(chunk_size) {}

    /// A buffer that `count` more elements can be appended to without a move.
    Container& room(std::size_t count) {
        if (used_ == 0 || free_room(chunks_[used_ - 1]) < count) next_chunk(count);
        return chunks_[used_ - 1];
    }

    /// Ends all views. Keeps the memory that is normally needed, so that the steady state allocates nothing.
    void reset() {
        if (used_ == 0) return;
        if (used_ > max_kept_chunks) chunks_.resize(max_kept_chunks);
        for (std::size_t i = 0; i < std::min(used_, chunks_.size()); ++i) {
            chunks_[i].clear();
            if (chunks_[i].capacity() > chunk_size_ * max_kept_growth) chunks_[i] = Container();
        }
        used_ = 0;
    }

private:
    static constexpr std::size_t max_kept_chunks = 8;
    static constexpr std::size_t max_kept_growth = 16;

    static std::size_t free_room(const Container& chunk) { return chunk.capacity() - chunk.size(); }

    void next_chunk(std::size_t count) {
        if (used_ == chunks_.size()) chunks_.emplace_back();
        Container& chunk = chunks_[used_++];
        if (chunk.capacity() < count || chunk.capacity() < chunk_size_)
            chunk.reserve(std::max(count, chunk_size_));
    }

    std::size_t chunk_size_;
    std::deque<Container> chunks_;
    std::size_t used_ = 0;
};

} // namespace phx::protocol::server
