#pragma once

#include <string>
#include <string_view>

namespace phx::protocol {

/// Of ASCII letters; other bytes must be the same.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Without the spaces and tabs around it (RFC 9110 section 5.6.3).
std::string_view trim_field(std::string_view) noexcept;

/// Whether a comma-separated list holds the token (any case).
bool list_has_token(std::string_view list, std::string_view token) noexcept;

/// RFC 9110 section 5.6.2: what names of headers and methods are made of.
bool is_field_token(std::string_view) noexcept;

/// Whether a header may have this value: no control characters but tabs (RFC 9110 section 5.5).
bool is_field_value(std::string_view) noexcept;

/// `Name: value\r\n`
void append_field(std::string& head, std::string_view name, std::string_view value);

} // namespace phx::protocol
