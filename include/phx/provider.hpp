#pragma once

#include "phx/function.hpp"
#include "phx/result.hpp"

#include <concepts>
#include <type_traits>
#include <utility>

namespace phx {

/// Where the answer to a question of the library goes: once, from any thread, at once or later. An answer
/// that is destroyed without having been given counts as a failure, so that a question cannot get lost.
template <class T> class Answer {
public:
    explicit Answer(Function<void(Result<T>)> done) noexcept : done_(std::move(done)) {}
    Answer(Answer&&) noexcept = default;
    Answer& operator=(Answer&&) = delete;
    ~Answer() {
        if (done_) done_(fail(Errc::cancelled, "the function that was asked gave no answer"));
    }

    /// A second call does nothing.
    void operator()(Result<T> value) {
        if (auto done = std::exchange(done_, nullptr)) done(std::move(value));
    }

private:
    Function<void(Result<T>)> done_;
};

/// A function of this program that is asked for a value each time it is needed. Either of
/// - `T()` or `Result<T>()`: answers at once; what it throws is a failure;
/// - `void(Answer<T>)`: answers when it can, from any thread (a token that must be fetched).
/// It is asked on the loop thread, one question at a time: while an answer is out, it is not asked again, but
/// after a `disconnect()`, which makes that answer count for nothing.
template <class T> class Provider {
    template <class F>
    static constexpr bool answers_later = std::is_invocable_v<F&, Answer<T>> && !std::is_same_v<F, Provider>;
    template <class F>
    static constexpr bool answers_now =
        !answers_later<F> && !std::is_same_v<F, Provider> &&
        (std::is_invocable_r_v<T, F&> || std::is_invocable_r_v<Result<T>, F&>);

public:
    Provider() noexcept = default;
    Provider(std::nullptr_t) noexcept {}
    template <class F>
    requires answers_later<F> Provider(F function) : ask_(std::move(function)) {}
    template <class F>
    requires answers_now<F> Provider(F function)
        : ask_([function = std::move(function)](Answer<T> answer) mutable { answer_now(function, answer); }) {
    }

    explicit operator bool() const noexcept { return static_cast<bool>(ask_); }
    void ask(Answer<T> answer) { ask_(std::move(answer)); }

    /// The same provider, whose values pass through `convert`, which returns a Result<U> and does not throw.
    template <class U, class Convert> Provider<U> mapped(Convert convert) && {
        if (!ask_) return {};
        return [ask = std::move(ask_), convert](Answer<U> answer) mutable {
            ask(Answer<T>([answer = std::move(answer), convert](Result<T> value) mutable {
                if (!value) return answer(Failure{std::move(value).error()});
                answer(convert(*std::move(value)));
            }));
        };
    }

private:
    template <class F> static void answer_now(F& function, Answer<T>& answer) {
        // What it says may hold what it read, a token for one: it goes nowhere.
        try {
            if constexpr (std::is_invocable_r_v<T, F&>) {
                return answer(T(function()));
            } else {
                return answer(function());
            }
        } catch (...) {
            answer(
                fail(Errc::handler_failed, "an exception left the function that was asked; catch it there"));
        }
    }

    Function<void(Answer<T>)> ask_;
};

} // namespace phx
