#pragma once

#include "src/loop/loop_core.hpp"

#include <cstddef>
#include <span>
#include <system_error>
#include <uv.h>

namespace phx::shell {

/// Fills trivially copyable values from the operating system's random device. Throws std::system_error.
template <class T, std::size_t n> void fill_random(std::span<T, n> values) {
    const int status = uv_random(nullptr, nullptr, values.data(), values.size_bytes(), 0, nullptr);
    if (status < 0) throw std::system_error(-status, std::generic_category(), "the system's random device");
}

/// The same for what lives on a loop: in a virtual system everything comes from its seed. Loop thread only.
template <class T, std::size_t n> void fill_random(LoopCore& loop, std::span<T, n> values) {
    if (VirtualSystem* const system = loop.system())
        return system->fill_random(std::as_writable_bytes(values));
    fill_random(values);
}

} // namespace phx::shell
