#pragma once

#include <span>
#include <system_error>
#include <uv.h>

namespace phx::shell {

/// Fills trivially copyable values from the operating system's random device. Throws std::system_error.
template <class T, std::size_t n> void fill_random(std::span<T, n> values) {
    const int status = uv_random(nullptr, nullptr, values.data(), values.size_bytes(), 0, nullptr);
    if (status < 0) throw std::system_error(-status, std::generic_category(), "the system's random device");
}

} // namespace phx::shell
