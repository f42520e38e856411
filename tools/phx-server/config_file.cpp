#include "tools/phx-server/config_file.hpp"

#include "tools/phx-server/config_text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace phx::tools {

Result<std::string> read_config_file(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    if (!file) return fail(Errc::system_failure, std::string("cannot read it: ") + std::strerror(errno));
    std::string text(max_config_bytes + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()))
        return fail(Errc::system_failure, std::string("cannot read it: ") + std::strerror(errno));
    if (text.size() > max_config_bytes) return fail(Errc::system_failure, "it has more than 1 MiB");
    return text;
}

} // namespace phx::tools
