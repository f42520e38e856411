#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol::realtime {

/// Walks the text of a PostgreSQL array, `{1,NULL,"a,b"}` or `{{1,2},{3,4}}`.
class PostgresArrayReader {
public:
    enum class Token : unsigned char { open, close, comma, null, element, end, error };

    explicit PostgresArrayReader(std::string_view text) noexcept : text_(text) {}

    Token next();
    /// Of the last Token::element: what it stands for, without quotes and escapes. Valid until next().
    std::string_view element() const noexcept { return element_; }

private:
    /// What may come.
    enum class Place : unsigned char { begin, first, value, after };

    static constexpr std::size_t max_depth = 6; // PostgreSQL's MAXDIM

    Token open() noexcept;
    Token close() noexcept;
    Token quoted();
    Token bare();

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    Place place_ = Place::begin;
    std::string_view element_ = {};
    std::string unescaped_ = {};
};

} // namespace phx::protocol::realtime
