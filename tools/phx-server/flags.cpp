#include "tools/phx-server/flags.hpp"

#include "tools/phx-server/token_keys.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <unistd.h>
#include <utility>

namespace phx::tools {
namespace {

std::string default_text(const Field<Config>& field) {
    const ConfigJson value = field.write(Config{});
    if (value.is_array()) return "";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

CLI::Option* add_flag(CLI::App& app, const Field<Config>& field, std::string& text) {
    const std::string name = flag_name(field.key);
    if (field.write(Config{}) == false) return app.add_flag(name, text, field.help)->take_last();
    CLI::Option* const option = app.add_option(name, text, field.help);
    option->type_name(std::string(field.value_name))->default_str(default_text(field));
    return field.value_name == ValueType<std::vector<std::string>>::name() ? option->join(',')
                                                                           : option->take_last();
}

std::vector<std::string> names_in_environment() {
    std::vector<std::string> names;
    for (const char* const* each = environ; each && *each; ++each) {
        const std::string_view entry(*each);
        if (entry.starts_with(variable_prefix)) names.emplace_back(entry.substr(0, entry.find('=')));
    }
    std::sort(names.begin(), names.end());
    return names;
}

void load_keys(Config& config, Faults& faults) {
    if (config.insecure_no_auth) return;
    auto keys = read_token_keys(config.keys);
    if (!keys) return faults.add(keys.error().message);
    if (!keys->secrets.empty() || !keys->jwks.empty())
        config.options.tokens = server::TokenOptions{*std::move(keys), config.token_rules};
}

} // namespace

Flags::Flags(CLI::App& app) {
    app.add_option("--config", config_file_,
                   std::string("JSON file with settings; else the one that ") + config_variable + " names")
        ->type_name("FILE");
    app.add_flag("-v,--verbose", verbose_, "As --log-level debug");
    const std::vector<Field<Config>>& fields = FieldsOf<Config>::all();
    flags_.reserve(fields.size()); // the options point into it
    for (const auto& field : fields) {
        Flag& flag = flags_.emplace_back(Flag{field.key, {}, nullptr});
        flag.option = add_flag(app, field, flag.text);
        flag.option->group("Settings");
    }
}

ConfigRead Flags::read_config() const {
    ConfigSources sources;
    const char* const named = std::getenv(config_variable);
    const std::string file = config_file_.empty() && named ? named : config_file_;
    if (!file.empty()) {
        auto text = read_file(file);
        if (!text) {
            ConfigRead failed;
            failed.faults.add(text.error().message);
            return failed;
        }
        sources.file_text = *std::move(text);
    }
    sources.variable = [](const char* name) -> const char* { return std::getenv(name); };
    sources.variable_names = names_in_environment();
    if (verbose_) sources.flags.emplace_back("log.level", "debug");
    for (const Flag& flag : flags_)
        if (flag.option->count() > 0) sources.flags.emplace_back(flag.key, flag.text);
    ConfigRead read = phx::tools::read_config(sources);
    if (read.faults.empty()) load_keys(read.config, read.faults);
    return read;
}

} // namespace phx::tools
