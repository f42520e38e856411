#include "tools/phx-server/value_type.hpp"

#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

namespace phx::tools {
namespace {

using std::chrono::milliseconds;

struct Unit {
    std::string_view name;
    std::int64_t length; // ms
};
constexpr Unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr std::int64_t max_duration = 366LL * 24 * 3'600'000; // ms: sums of them stay far from overflowing

template <class Number> bool read_digits(std::string_view text, Number& number, std::string_view& rest) {
    if (text.empty() || text.front() < '0' || text.front() > '9') return false;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    rest = std::string_view(stop, static_cast<std::size_t>(end - stop));
    return error == std::errc{};
}

} // namespace

bool ValueType<std::string>::read(const ConfigJson& json, std::string& value) {
    if (!json.is_string()) return false;
    value = json.get<std::string>();
    return true;
}

bool ValueType<std::optional<std::string>>::read(const ConfigJson& json, std::optional<std::string>& value) {
    std::string text;
    if (!json.is_null() && !ValueType<std::string>::read(json, text)) return false;
    value = text.empty() ? std::nullopt : std::optional(std::move(text));
    return true;
}

bool ValueType<bool>::read(const ConfigJson& json, bool& value) {
    if (!json.is_boolean()) return false;
    value = json.get<bool>();
    return true;
}

ConfigJson ValueType<bool>::from_text(std::string_view text) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return text;
}

bool ValueType<std::size_t>::read(const ConfigJson& json, std::size_t& value) {
    constexpr std::uint64_t max = (1ULL << 53) - 1; // RFC 8259 section 6: others may round larger ones
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() == 0 || json.get<std::uint64_t>() > max)
        return false;
    value = json.get<std::size_t>();
    return true;
}

bool ValueType<std::uint32_t>::read(const ConfigJson& json, std::uint32_t& value) {
    if (!json.is_number_unsigned()) return false;
    const auto number = json.get<std::uint64_t>();
    if (number > std::numeric_limits<std::uint32_t>::max()) return false;
    value = static_cast<std::uint32_t>(number);
    return true;
}

ConfigJson ValueType<std::size_t>::from_text(std::string_view text) {
    std::uint64_t number = 0;
    std::string_view rest;
    if (read_digits(text, number, rest) && rest.empty()) return number;
    return text;
}

bool ValueType<milliseconds>::read(const ConfigJson& json, milliseconds& value) {
    if (!json.is_string()) return false;
    std::int64_t count = 0;
    std::string_view unit_name;
    if (!read_digits(json.get_ref<const std::string&>(), count, unit_name)) return false;
    for (const Unit& unit : units) {
        if (unit.name != unit_name || count > max_duration / unit.length) continue;
        value = milliseconds(count * unit.length);
        return true;
    }
    return false;
}

ConfigJson ValueType<milliseconds>::write(milliseconds value) {
    Unit largest = units[0];
    for (const Unit& unit : units)
        if (value.count() != 0 && value.count() % unit.length == 0) largest = unit;
    return std::to_string(value.count() / largest.length).append(largest.name);
}

bool ValueType<std::chrono::seconds>::read(const ConfigJson& json, std::chrono::seconds& value) {
    milliseconds exact{0};
    if (!ValueType<milliseconds>::read(json, exact)) return false;
    const auto whole = std::chrono::floor<std::chrono::seconds>(exact);
    if (whole == exact) value = whole;
    return whole == exact;
}

ConfigJson ValueType<std::chrono::seconds>::write(std::chrono::seconds value) {
    return value.count() == 0 ? "0s" : ValueType<milliseconds>::write(value);
}

bool ValueType<std::vector<std::string>>::read(const ConfigJson& json, std::vector<std::string>& value) {
    if (!json.is_array()) return false;
    std::vector<std::string> texts;
    for (const ConfigJson& element : json) {
        if (!element.is_string()) return false;
        texts.push_back(element.get<std::string>());
    }
    value = std::move(texts);
    return true;
}

ConfigJson ValueType<std::vector<std::string>>::from_text(std::string_view text) {
    ConfigJson list = ConfigJson::array();
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        list.push_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return list;
}

bool ValueType<ListenAddress>::read(const ConfigJson& json, ListenAddress& value) {
    if (!json.is_string()) return false;
    auto address = parse_listen_address(json.get_ref<const std::string&>());
    if (!address) return false;
    value = *std::move(address);
    return true;
}

} // namespace phx::tools
