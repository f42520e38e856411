#include "protocol/wire/retry_after.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace phx::protocol {
namespace {

using namespace std::chrono;

/// Takes a date apart from left to right; remembers whether anything was amiss.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    bool is_at_end() const noexcept { return is_good_ && rest_.empty(); }

    void expect(std::string_view text) {
        is_good_ = is_good_ && rest_.substr(0, text.size()) == text;
        if (is_good_) rest_.remove_prefix(text.size());
    }
    int number(std::size_t digits) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const bool is_digit = i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9';
            if (!is_digit) is_good_ = false;
            if (!is_good_) return 0;
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }
    /// Of asctime: " 6" or "16".
    int padded_number() {
        if (rest_.empty() || rest_[0] != ' ') return number(2);
        rest_.remove_prefix(1);
        return number(1);
    }
    month month_name() {
        constexpr std::array<std::string_view, 12> names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const auto found = std::find(names.begin(), names.end(), rest_.substr(0, 3));
        if (found == names.end()) is_good_ = false;
        if (!is_good_) return month(0);
        rest_.remove_prefix(3);
        return month(static_cast<unsigned>(found - names.begin()) + 1);
    }
    seconds time_of_day() {
        const int hour = number(2);
        expect(":");
        const int minute = number(2);
        expect(":");
        const int second = number(2);
        if (hour > 23 || minute > 59 || second > 60) is_good_ = false; // 60: a leap second
        return hours(hour) + minutes(minute) + seconds(second);
    }

private:
    std::string_view rest_;
    bool is_good_ = true;
};

struct Date {
    int day = 0;
    month which_month{0};
    int year = 0;
    seconds time{0};
};

/// Whether the day is right for the date is not checked, so it is skipped.
std::string_view after_day_name(std::string_view text, std::string_view separator) {
    const std::size_t at = text.find(separator);
    return at == std::string_view::npos ? std::string_view{} : text.substr(at + separator.size());
}

/// "06 Nov 1994 08:49:37 GMT", and with dashes and two digits of the year the older form.
std::optional<Date> read_day_first(std::string_view text, std::string_view separator,
                                   std::size_t year_digits) {
    Cursor cursor(text);
    Date date;
    date.day = cursor.number(2);
    cursor.expect(separator);
    date.which_month = cursor.month_name();
    cursor.expect(separator);
    date.year = cursor.number(year_digits);
    if (year_digits == 2) date.year += date.year < 70 ? 2000 : 1900;
    cursor.expect(" ");
    date.time = cursor.time_of_day();
    cursor.expect(" GMT");
    return cursor.is_at_end() ? std::optional(date) : std::nullopt;
}

/// "Nov  6 08:49:37 1994"
std::optional<Date> read_asctime(std::string_view text) {
    Cursor cursor(text);
    Date date;
    date.which_month = cursor.month_name();
    cursor.expect(" ");
    date.day = cursor.padded_number();
    cursor.expect(" ");
    date.time = cursor.time_of_day();
    cursor.expect(" ");
    date.year = cursor.number(4);
    return cursor.is_at_end() ? std::optional(date) : std::nullopt;
}

} // namespace

std::optional<UnixSeconds> parse_http_date(std::string_view text) {
    text = trim_field(text);
    auto date = read_day_first(after_day_name(text, ", "), " ", 4);
    if (!date) date = read_day_first(after_day_name(text, ", "), "-", 2);
    if (!date) date = read_asctime(after_day_name(text, " "));
    if (!date) return std::nullopt;
    const year_month_day day{year(date->year), date->which_month,
                             std::chrono::day(static_cast<unsigned>(date->day))};
    if (!day.ok()) return std::nullopt;
    return sys_days(day) + date->time;
}

std::optional<seconds> parse_retry_after(std::string_view value, std::string_view date) {
    value = trim_field(value);
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    if (!value.empty() && end == value.data() + value.size()) {
        if (error == std::errc{}) return seconds(count);
        if (error == std::errc::result_out_of_range)
            return seconds(std::numeric_limits<std::uint32_t>::max());
    }
    const auto then = parse_http_date(value);
    const auto now = parse_http_date(date);
    if (!then || !now || *then < *now) return std::nullopt;
    return *then - *now;
}

} // namespace phx::protocol
