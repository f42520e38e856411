#pragma once

#include "src/testing/virtual_clock.hpp"

#include <cstdio>
#include <string>

namespace phx::sim {

/// Prints what happens, for a seed that is repeated alone.
struct Trace {
    bool is_on = false;

    void line(TimePoint now, const std::string& what) const {
        if (!is_on) return;
        const double seconds = static_cast<double>(now.time_since_epoch().count()) / 1e6;
        std::printf("%12.6f %s\n", seconds, what.c_str());
    }
};

} // namespace phx::sim
