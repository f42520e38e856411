#pragma once

#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>

namespace phx::test {

// Sanitizers keep memory of their own, and what was freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
inline constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool is_sanitized = false;
#endif

/// A figure in bytes of /proc/PROCESS/status: "VmRSS" is the memory at the moment, "VmHWM" the most there
/// was.
inline std::size_t memory_of(const std::string& process, const std::string& figure) {
    std::ifstream status("/proc/" + process + "/status");
    for (std::string word; status >> word;) {
        std::size_t kibibytes = 0;
        if (word == figure + ':' && status >> kibibytes) return kibibytes << 10;
    }
    throw std::runtime_error("this system does not say how much memory there was");
}

/// How much more memory this program, with all that runs in it, has had at one time since.
class MemoryPeak {
public:
    MemoryPeak() {
        std::ofstream("/proc/self/clear_refs") << 5; // the peak is now what there is, where that is allowed
        start_ = memory_of("self", "VmHWM");
    }
    std::size_t growth() const { return is_sanitized ? 0 : memory_of("self", "VmHWM") - start_; }

private:
    std::size_t start_;
};

} // namespace phx::test
