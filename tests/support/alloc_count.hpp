#pragma once

#include <cstdint>

namespace phx::test {

/// Counts the calls of operator new of this program since it was made; tests of hot paths expect none.
class AllocationCount {
public:
    AllocationCount();
    std::uint64_t allocations() const;

private:
    std::uint64_t start_;
};

} // namespace phx::test
