#pragma once

#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/types.h>

/// The process under test.
class Process {
public:
    explicit Process(pid_t pid) : pid_(pid) {
        if (clock_getcpuclockid(pid, &clock_) != 0) throw std::runtime_error("there is no such process");
    }
    double cpu_seconds() const {
        timespec time{};
        clock_gettime(clock_, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }
    std::size_t resident_kb() const {
        std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:")) return std::strtoul(line.c_str() + 6, nullptr, 10);
        throw std::runtime_error("no VmRSS");
    }

private:
    pid_t pid_;
    clockid_t clock_{};
};
