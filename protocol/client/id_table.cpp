#include "protocol/client/id_table.hpp"

#include <utility>

namespace phx::protocol {

// Fibonacci hashing spreads rising numbers evenly. With the number itself as its hash they would form one
// run, and each miss and each erase would walk it.
std::size_t IdTable::home(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15u) >> shift_);
}

/// Where the key is, or the free cell where it would be.
std::size_t IdTable::cell_of(std::uint64_t key) const noexcept {
    const std::size_t mask = cells_.size() - 1;
    std::size_t i = home(key);
    while (cells_[i].key != 0 && cells_[i].key != key) i = (i + 1) & mask;
    return i;
}

void IdTable::insert(std::uint64_t key, std::uint32_t index) {
    if (2 * (size_ + 1) > cells_.size()) grow();
    cells_[cell_of(key)] = {key, index};
    ++size_;
}

std::optional<std::uint32_t> IdTable::find(std::uint64_t key) const noexcept {
    if (size_ == 0 || key == 0) return std::nullopt;
    const Cell& cell = cells_[cell_of(key)];
    return cell.key == key ? std::optional(cell.index) : std::nullopt;
}

void IdTable::erase(std::uint64_t key) noexcept {
    if (!find(key)) return;
    const std::size_t mask = cells_.size() - 1;
    std::size_t hole = cell_of(key);
    for (std::size_t i = (hole + 1) & mask; cells_[i].key != 0; i = (i + 1) & mask) {
        // Moves back what would no longer be found from its home because of the hole.
        if (((i - home(cells_[i].key)) & mask) >= ((i - hole) & mask)) {
            cells_[hole] = cells_[i];
            hole = i;
        }
    }
    cells_[hole] = {};
    --size_;
}

void IdTable::grow() {
    std::vector<Cell> old(cells_.empty() ? 16 : 2 * cells_.size());
    std::swap(old, cells_);
    shift_ = 64;
    for (std::size_t n = cells_.size(); n > 1; n /= 2) --shift_;
    for (const Cell& cell : old) {
        if (cell.key != 0) cells_[cell_of(cell.key)] = cell;
    }
}

} // namespace phx::protocol
