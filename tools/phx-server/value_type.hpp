#pragma once

#include "phx/server/server.hpp"
#include "tools/phx-server/faults.hpp"
#include "tools/phx-server/listen_address.hpp"
#include "tools/phx-server/log_line.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::tools {

/// Members in the order in which they were written.
using ConfigJson = nlohmann::ordered_json;

/// How values of a type are read and written; a type that may be a setting has a specialization:
///
///     static std::string_view name();                             for --help: "DURATION"
///     static bool read(const ConfigJson&, T&);                    false: it is no such value
///     static std::string_view wanted();                           what it has to be, for the fault
///     static ConfigJson write(const T&);
///     static ConfigJson from_text(std::string_view);              of a flag or a variable
///
/// A type of several members has fields instead, see field.hpp.
template <class T> struct ValueType;

template <> struct ValueType<std::string> {
    static std::string_view name() { return "TEXT"; }
    static std::string_view wanted() { return "a text"; }
    static bool read(const ConfigJson&, std::string&);
    static ConfigJson write(const std::string& value) { return value; }
    static ConfigJson from_text(std::string_view text) { return text; }
};

/// Without one: null, or an empty text.
template <> struct ValueType<std::optional<std::string>> {
    static std::string_view name() { return "TEXT"; }
    static std::string_view wanted() { return "a text or null"; }
    static bool read(const ConfigJson&, std::optional<std::string>&);
    static ConfigJson write(const std::optional<std::string>& value) {
        return value ? ConfigJson(*value) : ConfigJson(nullptr);
    }
    static ConfigJson from_text(std::string_view text) { return text; }
};

template <> struct ValueType<bool> {
    static std::string_view name() { return "true|false"; }
    static std::string_view wanted() { return "true or false"; }
    static bool read(const ConfigJson&, bool&);
    static ConfigJson write(bool value) { return value; }
    static ConfigJson from_text(std::string_view);
};

template <> struct ValueType<std::size_t> {
    static std::string_view name() { return "NUMBER"; }
    static std::string_view wanted() { return "a whole number from 1 to 9007199254740991"; }
    static bool read(const ConfigJson&, std::size_t&);
    static ConfigJson write(std::size_t value) { return value; }
    static ConfigJson from_text(std::string_view);
};

/// A limit that may be none.
template <> struct ValueType<std::uint32_t> {
    static std::string_view name() { return "NUMBER"; }
    static std::string_view wanted() { return "a whole number from 0 (no limit) to 4294967295"; }
    static bool read(const ConfigJson&, std::uint32_t&);
    static ConfigJson write(std::uint32_t value) { return value; }
    static ConfigJson from_text(std::string_view text) { return ValueType<std::size_t>::from_text(text); }
};

/// Always with a unit: of a bare number nobody knows whether it is seconds or milliseconds.
template <> struct ValueType<std::chrono::milliseconds> {
    static std::string_view name() { return "DURATION"; }
    static std::string_view wanted() { return R"(a duration with its unit: "500ms", "10s", "5m", "1h")"; }
    static bool read(const ConfigJson&, std::chrono::milliseconds&);
    static ConfigJson write(std::chrono::milliseconds);
    static ConfigJson from_text(std::string_view text) { return text; }
};

template <> struct ValueType<std::chrono::seconds> {
    static std::string_view name() { return "DURATION"; }
    static std::string_view wanted() { return R"(a duration in whole seconds: "10s", "5m", "1h")"; }
    static bool read(const ConfigJson&, std::chrono::seconds&);
    static ConfigJson write(std::chrono::seconds);
    static ConfigJson from_text(std::string_view text) { return text; }
};

/// In a flag or a variable separated by commas.
template <> struct ValueType<std::vector<std::string>> {
    static std::string_view name() { return "TEXT,..."; }
    static std::string_view wanted() { return "a list of texts"; }
    static bool read(const ConfigJson&, std::vector<std::string>&);
    static ConfigJson write(const std::vector<std::string>& value) { return value; }
    static ConfigJson from_text(std::string_view);
};

template <> struct ValueType<ListenAddress> {
    static std::string_view name() { return "HOST:PORT"; }
    static std::string_view wanted() { return "HOST:PORT, such as 127.0.0.1:4000 or [::1]:4000"; }
    static bool read(const ConfigJson&, ListenAddress&);
    static ConfigJson write(const ListenAddress& value) { return value.text(); }
    static ConfigJson from_text(std::string_view text) { return text; }
};

/// A type of a few values with names.
template <class Enum, class Names> struct NamedValue {
    static std::string_view name() { return Names::choice; }
    static std::string_view wanted() { return Names::wanted; }
    static bool read(const ConfigJson& json, Enum& value) {
        for (const auto& [own, text] : Names::all) {
            if (json != text) continue;
            value = own;
            return true;
        }
        return false;
    }
    static ConfigJson write(Enum value) {
        for (const auto& [own, text] : Names::all)
            if (own == value) return text;
        return nullptr;
    }
    static ConfigJson from_text(std::string_view text) { return text; }
};

struct DialectNames {
    static constexpr std::string_view choice = "phoenix|supabase", wanted = R"("phoenix" or "supabase")";
    static constexpr std::pair<server::Dialect, const char*> all[] = {
        {server::Dialect::phoenix, "phoenix"}, {server::Dialect::supabase, "supabase"}};
};
template <> struct ValueType<server::Dialect> : NamedValue<server::Dialect, DialectNames> {};

struct TlsVersionNames {
    static constexpr std::string_view choice = "1.2|1.3", wanted = R"("1.2" or "1.3")";
    static constexpr std::pair<TlsVersion, const char*> all[] = {{TlsVersion::v1_2, "1.2"},
                                                                 {TlsVersion::v1_3, "1.3"}};
};
template <> struct ValueType<TlsVersion> : NamedValue<TlsVersion, TlsVersionNames> {};

struct LogFormatNames {
    static constexpr std::string_view choice = "text|json", wanted = R"("text" or "json")";
    static constexpr std::pair<LogFormat, const char*> all[] = {{LogFormat::text, "text"},
                                                                {LogFormat::json, "json"}};
};
template <> struct ValueType<LogFormat> : NamedValue<LogFormat, LogFormatNames> {};

struct LogLevelNames {
    static constexpr std::string_view choice = "debug|info|warn|error";
    static constexpr std::string_view wanted = R"("debug", "info", "warn" or "error")";
    static constexpr std::pair<LogLevel, const char*> all[] = {{LogLevel::debug, "debug"},
                                                               {LogLevel::info, "info"},
                                                               {LogLevel::warn, "warn"},
                                                               {LogLevel::error, "error"}};
};
template <> struct ValueType<LogLevel> : NamedValue<LogLevel, LogLevelNames> {};

} // namespace phx::tools
