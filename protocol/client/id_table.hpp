#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phx::protocol {

/// From a number, never 0, to an index: open addressing, at most half full, erased without tombstones. Every
/// operation costs the same whatever is in it, and nothing is allocated once it has grown to what is in it at
/// a time.
class IdTable {
public:
    /// REQUIRES key != 0 and that it is not in the table.
    void insert(std::uint64_t key, std::uint32_t index);
    std::optional<std::uint32_t> find(std::uint64_t key) const noexcept;
    void erase(std::uint64_t key) noexcept;
    std::size_t size() const noexcept { return size_; }

private:
    struct Cell {
        std::uint64_t key = 0; ///< 0: free
        std::uint32_t index = 0;
    };
    std::size_t home(std::uint64_t key) const noexcept;
    std::size_t cell_of(std::uint64_t key) const noexcept;
    void grow();

    std::vector<Cell> cells_;
    std::size_t size_ = 0;
    unsigned shift_ = 64;
};

} // namespace phx::protocol
