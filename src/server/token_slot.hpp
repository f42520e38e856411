#pragma once

#include "phx/server/token.hpp"

#include <mutex>
#include <optional>
#include <utility>

namespace phx::shell {

/// The verifier of the moment, or none: set from any thread, asked by the server's. A mutex of its own,
/// because keys are replaced while nothing else stops.
class TokenSlot {
public:
    /// Errors of TokenVerifier::make; what there was before stays then.
    Result<void> set(const phx::server::TokenOptions& options) {
        auto made = phx::server::TokenVerifier::make(options.keys, options.rules);
        if (!made) return Failure{std::move(made).error()};
        std::lock_guard lock(mutex_);
        verifier_ = *std::move(made);
        return {};
    }

    std::optional<phx::server::TokenVerifier> get() const {
        std::lock_guard lock(mutex_);
        return verifier_;
    }

private:
    mutable std::mutex mutex_;
    std::optional<phx::server::TokenVerifier> verifier_;
};

} // namespace phx::shell
