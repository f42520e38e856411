#include "protocol/realtime/postgres_array.hpp"

#include <algorithm>

namespace phx::protocol::realtime {
namespace {

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_null(std::string_view word) noexcept {
    constexpr std::string_view null = "null";
    return std::equal(word.begin(), word.end(), null.begin(), null.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
}

} // namespace

PostgresArrayReader::Token PostgresArrayReader::open() noexcept {
    const bool may_open = place_ != Place::after && (place_ == Place::begin || depth_ != 0);
    if (!may_open || depth_ == max_depth) return Token::error;
    ++depth_;
    place_ = Place::first;
    return Token::open;
}

PostgresArrayReader::Token PostgresArrayReader::close() noexcept {
    if (depth_ == 0 || place_ == Place::value) return Token::error;
    --depth_;
    place_ = Place::after;
    return Token::close;
}

PostgresArrayReader::Token PostgresArrayReader::quoted() {
    const std::size_t begin = at_;
    unescaped_.clear();
    for (;;) {
        const std::size_t stop = text_.find_first_of("\"\\", at_);
        if (stop == text_.npos) return Token::error;
        const std::string_view plain = text_.substr(at_, stop - at_);
        at_ = stop + 1;
        if (text_[stop] == '"') {
            if (stop == begin + plain.size()) {
                element_ = plain; // without escapes
            } else {
                element_ = unescaped_.append(plain);
            }
            return Token::element;
        }
        if (at_ == text_.size()) return Token::error;
        unescaped_.append(plain).push_back(text_[at_++]);
    }
}

PostgresArrayReader::Token PostgresArrayReader::bare() {
    std::size_t end = text_.find_first_of(",{}\"\\", at_);
    if (end == text_.npos || (text_[end] != ',' && text_[end] != '}')) return Token::error;
    const std::size_t begin = at_;
    at_ = end;
    while (end > begin && is_space(text_[end - 1])) --end;
    element_ = text_.substr(begin, end - begin);
    return element_.empty() ? Token::error : is_null(element_) ? Token::null : Token::element;
}

PostgresArrayReader::Token PostgresArrayReader::next() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ == text_.size()) return place_ == Place::after && depth_ == 0 ? Token::end : Token::error;
    if (place_ == Place::after && depth_ == 0) return Token::error;
    const char c = text_[at_];
    if (c == '{') return ++at_, open();
    if (c == '}') return ++at_, close();
    if (place_ == Place::begin) return Token::error;
    if (place_ == Place::after) {
        if (c != ',') return Token::error;
        ++at_;
        place_ = Place::value;
        return Token::comma;
    }
    place_ = Place::after;
    if (c == '"') return ++at_, quoted();
    return bare();
}

} // namespace phx::protocol::realtime
