#pragma once

#include "phx/stats.hpp"
#include "src/loop/counter.hpp"

namespace phx::shell {

struct SocketCounters {
    Counter connects, opens, losses;
    Counter frames_sent, frames_received, bytes_sent, bytes_received;
    Counter messages, frames_dropped;
    Counter pushes, pushes_failed, pushes_waiting;
    Counter heartbeats, last_round_trip, buffered_bytes;

    SocketStats stats() const noexcept {
        return {.connects = connects.get(),
                .opens = opens.get(),
                .losses = losses.get(),
                .frames_sent = frames_sent.get(),
                .frames_received = frames_received.get(),
                .bytes_sent = bytes_sent.get(),
                .bytes_received = bytes_received.get(),
                .messages = messages.get(),
                .frames_dropped = frames_dropped.get(),
                .pushes = pushes.get(),
                .pushes_failed = pushes_failed.get(),
                .pushes_waiting = pushes_waiting.get(),
                .heartbeats = heartbeats.get(),
                .last_round_trip = Micros(static_cast<Micros::rep>(last_round_trip.get())),
                .buffered_bytes = buffered_bytes.get()};
    }
};

} // namespace phx::shell
