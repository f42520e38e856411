#pragma once

#include "protocol/client/outputs.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phx::protocol {

/// One ordered queue, and the bytes of the frames in it. Frames are kept as offsets until they leave, because
/// the bytes move when more is encoded. Nothing is allocated once both have grown to what one call puts out.
class OutputQueue {
public:
    /// At the beginning of each call from outside: the views of the call before end here, if all of them were
    /// taken.
    void begin() {
        if (next_ < items_.size()) return;
        if (items_.capacity() > keep_items) items_ = {};
        items_.clear();
        next_ = 0;
        if (bytes_.capacity() > keep_bytes) bytes_ = {};
        bytes_.clear();
    }

    void add(Output output) { items_.push_back({std::move(output), 0, 0}); }

    /// Where to append a frame before add_send() says what it is.
    std::string& bytes() noexcept { return bytes_; }
    void add_send(ConnId conn, Opcode opcode, std::size_t begin) {
        items_.push_back({act::Send{conn, opcode, {}}, begin, bytes_.size() - begin});
    }

    std::optional<Output> poll() {
        if (next_ == items_.size()) return std::nullopt;
        Item& item = items_[next_++];
        if (auto* send = std::get_if<act::Send>(&item.output)) {
            send->data = std::string_view(bytes_).substr(item.begin, item.size);
        }
        return std::move(item.output);
    }

    bool empty() const noexcept { return next_ == items_.size(); }

private:
    // One huge frame, or the end of very many pushes at once, must not cost its memory for ever.
    static constexpr std::size_t keep_bytes = 1u << 20;
    static constexpr std::size_t keep_items = 4096;

    struct Item {
        Output output;
        std::size_t begin; ///< of a frame's bytes
        std::size_t size;
    };
    std::vector<Item> items_;
    std::size_t next_ = 0;
    std::string bytes_;
};

} // namespace phx::protocol
