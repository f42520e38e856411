#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <sys/resource.h>
#include <vector>

/// Wall and CPU time of this process since it was made.
class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    double cpu_seconds() const { return cpu() - cpu_start_; }

private:
    static double cpu() {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        const auto of = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
        };
        return of(usage.ru_utime) + of(usage.ru_stime);
    }
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    double cpu_start_ = cpu();
};

inline void print_result(std::size_t count, double seconds, double cpu_seconds, double median_us = 0,
                         std::uint64_t allocations = 0) {
    std::printf(
        "{\"count\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"median_us\":%.2f,\"allocations\":%llu}\n",
        count, seconds, cpu_seconds, median_us, static_cast<unsigned long long>(allocations));
}

inline double median(std::vector<double>& values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}
