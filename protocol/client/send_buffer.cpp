#include "protocol/client/send_buffer.hpp"

#include <algorithm>
#include <utility>

namespace phx::protocol {

bool SendBuffer::fits(std::size_t bytes) const noexcept {
    return pushes_.size() < max_pushes_ && bytes <= max_bytes_ - bytes_;
}

void SendBuffer::add(BufferedPush push) {
    bytes_ += push.bytes();
    pushes_.push_back(std::move(push));
}

BufferedPush SendBuffer::take_front() {
    BufferedPush push = std::move(pushes_.front());
    pushes_.pop_front();
    bytes_ -= push.bytes();
    return push;
}

void SendBuffer::remove(PushId id) {
    // Ids rise. What times out is usually at the front, where erasing costs nothing.
    const auto at = std::lower_bound(pushes_.begin(), pushes_.end(), id,
                                     [](const BufferedPush& p, PushId wanted) { return p.id < wanted; });
    if (at == pushes_.end() || at->id != id) return;
    bytes_ -= at->bytes();
    pushes_.erase(at);
}

} // namespace phx::protocol
