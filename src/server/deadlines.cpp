#include "src/server/deadlines.hpp"

namespace phx::shell {

void Deadline::clear() noexcept {
    if (owner_) owner_->unlink(*this);
}

void Deadlines::set(Deadline& deadline, DeadlineKind kind, protocol::TimePoint now) {
    deadline.clear();
    Queue& queue = this->queue(kind);
    deadline.owner_ = this;
    deadline.kind_ = kind;
    deadline.at_ = now + queue.duration;
    deadline.previous_ = queue.last;
    (queue.last ? queue.last->next_ : queue.first) = &deadline;
    queue.last = &deadline;
}

std::optional<protocol::TimePoint> Deadlines::next() const noexcept {
    std::optional<protocol::TimePoint> soonest;
    for (const Queue& queue : queues_) {
        if (queue.first && (!soonest || queue.first->at_ < *soonest)) soonest = queue.first->at_;
    }
    return soonest;
}

Deadline* Deadlines::pop(protocol::TimePoint now) noexcept {
    for (Queue& queue : queues_) {
        Deadline* const first = queue.first;
        if (!first || first->at_ > now) continue;
        unlink(*first);
        return first;
    }
    return nullptr;
}

void Deadlines::unlink(Deadline& deadline) noexcept {
    Queue& queue = this->queue(deadline.kind_);
    (deadline.previous_ ? deadline.previous_->next_ : queue.first) = deadline.next_;
    (deadline.next_ ? deadline.next_->previous_ : queue.last) = deadline.previous_;
    deadline.owner_ = nullptr;
    deadline.previous_ = nullptr;
    deadline.next_ = nullptr;
}

} // namespace phx::shell
