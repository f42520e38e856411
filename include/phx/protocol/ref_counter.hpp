#pragma once

#include <cstdint>
#include <string>

namespace phx::protocol {

/// Rising decimal strings, "1" first: the refs of one connection's pushes, as phoenix.js `makeRef`.
class RefCounter {
public:
    std::uint64_t next() noexcept { return ++last_; }
    std::string next_string() { return std::to_string(next()); }

private:
    std::uint64_t last_ = 0;
};

} // namespace phx::protocol
