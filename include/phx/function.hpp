#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace phx {

template <class Signature> class Function;

/// A callable that is moved, never copied: handlers may own sockets, promises and buffers. Captures of up to
/// six words whose move cannot throw are stored inline; larger ones cost one allocation. Calling an empty one
/// is undefined; test it first.
template <class R, class... Args> class Function<R(Args...)> {
    static constexpr std::size_t inline_bytes = 6 * sizeof(void*);

    template <class F> static constexpr bool is_small = sizeof(F) <= inline_bytes;
    template <class F>
    static constexpr bool
        fits_inline = is_small<F> &&
                      alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

    struct Operations {
        R (*call)(void* storage, Args&&... args);
        void (*move)(void* from, void* to) noexcept; // and destroys what is left in `from`
        void (*destroy)(void* storage) noexcept;
    };

public:
    using result_type = R;

    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <class F, class D = std::decay_t<F>>
    requires(!std::is_same_v<D, Function> && std::is_invocable_r_v<R, D&, Args...>)
        Function(F&& callable) { // NOLINT(bugprone-forwarding-reference-overload): constrained above
        // A function by its name is never null, and g++ warns when it is compared.
        constexpr bool is_name = std::is_function_v<std::remove_reference_t<F>>;
        if constexpr (!is_name && (std::is_pointer_v<D> || std::is_member_pointer_v<D>)) {
            if (callable == nullptr) return;
        }
        if constexpr (fits_inline<D>) {
            ::new (static_cast<void*>(storage_)) D(std::forward<F>(callable));
            operations_ = &inline_operations<D>;
        } else {
            ::new (static_cast<void*>(storage_)) D*(new D(std::forward<F>(callable)));
            operations_ = &heap_operations<D>;
        }
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    Function& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }
    ~Function() { reset(); }

    explicit operator bool() const noexcept { return operations_ != nullptr; }

    /// REQUIRES *this is not empty
    R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

private:
    template <class F> static F& inline_target(void* storage) noexcept {
        return *std::launder(static_cast<F*>(storage));
    }
    template <class F> static F*& heap_target(void* storage) noexcept {
        return *std::launder(static_cast<F**>(storage));
    }

    template <class F> static R invoke(F& callable, Args&&... args) {
        if constexpr (std::is_void_v<R>) {
            std::invoke(callable, std::forward<Args>(args)...);
        } else {
            return std::invoke(callable, std::forward<Args>(args)...);
        }
    }

    template <class F>
    static constexpr Operations inline_operations = {
        [](void* storage, Args&&... args) -> R {
            return invoke(inline_target<F>(storage), std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept {
            ::new (to) F(std::move(inline_target<F>(from)));
            inline_target<F>(from).~F();
        },
        [](void* storage) noexcept { inline_target<F>(storage).~F(); },
    };
    template <class F>
    static constexpr Operations heap_operations = {
        [](void* storage, Args&&... args) -> R {
            return invoke(*heap_target<F>(storage), std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept { ::new (to) F*(heap_target<F>(from)); },
        [](void* storage) noexcept { delete heap_target<F>(storage); },
    };

    void take(Function& other) noexcept {
        operations_ = std::exchange(other.operations_, nullptr);
        if (operations_) operations_->move(other.storage_, storage_);
    }
    void reset() noexcept {
        if (const Operations* operations = std::exchange(operations_, nullptr)) operations->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[inline_bytes];
    const Operations* operations_ = nullptr;
};

} // namespace phx
