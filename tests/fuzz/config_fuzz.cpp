#include "tests/fuzz/codec_fuzz_support.hpp"
#include "tools/phx-server/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace phx;
using namespace phx::tools;

void check_faults(const Faults& faults) {
    fuzz::require(faults.lines().size() <= Faults::max_lines, "not too many");
    for (const std::string& line : faults.lines())
        fuzz::require(!line.empty() && line.size() < 1000 && line.find('\n') == std::string::npos,
                      "one short line");
}

void check_round_trip(const Config& config) {
    const ConfigJson written = write_value(config);
    const ConfigRead again = read_config({.file_text = written.dump()});
    fuzz::require(again.faults.empty(), "what was written is read");
    fuzz::require(write_value(again.config) == written, "and is the same");
    const ReloadPlan plan = plan_reload(Config{}, config);
    fuzz::require(plan.needs_restart.empty() == (write_value(plan.config) == written),
                  "what is left, is named");
}

} // namespace

/// The input is a file, and the text of every flag.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const ConfigRead read = read_config({.file_text = text});
    check_faults(read.faults);
    if (read.faults.empty()) check_round_trip(read.config);
    for (const auto& field : FieldsOf<Config>::all()) {
        const ConfigRead flag = read_config({.flags = {{field.key, text}}});
        check_faults(flag.faults);
    }
    return 0;
}
