#include "tools/phx-server/config_text.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace phx::tools {
namespace {

constexpr std::size_t max_depth = 16;

/// Looks for what nlohmann::json would take: repeated names, of which it keeps the last, and any depth.
class Checker : public nlohmann::json_sax<ConfigJson> {
public:
    Checker(std::string_view where, Faults& faults) : where_(where), faults_(faults) {}
    std::optional<std::size_t> error_position() const { return error_position_; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }
    bool key(string_t& name) override {
        if (names_.back().insert(name).second) return true;
        faults_.add(shown(name), "this key is in the same object twice");
        return false;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        error_position_ = position;
        return false;
    }

private:
    bool enter() {
        names_.emplace_back();
        if (names_.size() <= max_depth) return true;
        faults_.add(where_, "it is nested deeper than " + std::to_string(max_depth) + " levels");
        return false;
    }
    bool leave() { return names_.pop_back(), true; }

    std::string_view where_;
    Faults& faults_;
    std::vector<std::set<std::string>> names_; ///< of the objects and arrays that are open
    std::optional<std::size_t> error_position_;
};

std::string place(std::string_view text, std::size_t position) {
    const std::string_view before = text.substr(0, std::min(position == 0 ? 0 : position - 1, text.size()));
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
    return "line " + std::to_string(lines + 1) + ", column " + std::to_string(column);
}

} // namespace

std::optional<ConfigJson> parse_config_text(std::string_view text, Faults& faults, std::string_view where) {
    if (text.size() > max_config_bytes) {
        faults.add(where, "it has more than 1 MiB");
        return std::nullopt;
    }
    Checker checker(where, faults);
    if (ConfigJson::sax_parse(text, &checker)) return ConfigJson::parse(text, nullptr, false);
    if (const auto position = checker.error_position())
        faults.add(where, "no JSON (RFC 8259) at " + place(text, *position));
    return std::nullopt;
}

} // namespace phx::tools
