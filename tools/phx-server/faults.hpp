#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace phx::tools {

/// What is wrong with a configuration, one line each: where, what, and what to do. Values are never shown:
/// one may be a secret that somebody put into the wrong place.
class Faults {
public:
    static constexpr std::size_t max_lines = 20;

    /// Ignored once there are enough.
    void add(std::string line);
    void add(std::string_view where, std::string_view what) {
        add(std::string(where).append(": ").append(what));
    }
    bool empty() const noexcept { return lines_.empty(); }
    bool is_full() const noexcept { return lines_.size() >= max_lines; }
    const std::vector<std::string>& lines() const noexcept { return lines_; }

private:
    std::vector<std::string> lines_;
};

/// Text of a file, for a line: escaped, and no longer than fits.
std::string shown(std::string_view text);

} // namespace phx::tools
