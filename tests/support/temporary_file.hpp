#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>

namespace phx::test {

/// A file that is removed with it.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text = {}) {
        std::string name = (std::filesystem::temp_directory_path() / "phx-test-XXXXXX").string();
        const int descriptor = ::mkstemp(name.data());
        if (descriptor < 0) throw std::runtime_error("no temporary file");
        ::close(descriptor);
        path_ = name;
        write(text);
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::string& path() const { return path_; }
    void write(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }

private:
    std::string path_;
};

} // namespace phx::test
