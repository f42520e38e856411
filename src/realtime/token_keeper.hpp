#pragma once

#include "phx/function.hpp"
#include "phx/provider.hpp"
#include "phx/result.hpp"
#include "src/client/socket_core.hpp"
#include "src/loop/loop_core.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace phx::shell {

/// The user's token: what the provider said last, or set(). Loop thread only.
class TokenKeeper : public std::enable_shared_from_this<TokenKeeper> {
public:
    /// An empty token is none.
    using Told = Function<void(const Result<std::string>&)>;

    /// `changed` is called after each change, before who asked is told.
    TokenKeeper(std::shared_ptr<SocketCore>, Provider<std::string>, Function<void()> changed);

    bool has_provider() const noexcept { return static_cast<bool>(provider_); }
    const std::string& current() const noexcept { return current_; }
    void set(std::string token);
    /// Asks the provider, if there is one and no question is out already.
    void ask(Told);
    /// The answer that is out is no longer waited for: the next question is asked anew, and counts alone.
    void doubt_answer() noexcept { is_doubtful_ = is_asking_; }
    /// ask() for nobody: a failure is reported. Once for each question.
    void refresh();
    /// Nobody is told any more.
    void end();

private:
    void take(std::uint64_t question, Result<std::string>);
    void change(std::string);
    void watch_expiry();
    void handle_expiring();

    const std::shared_ptr<SocketCore> socket_;
    Provider<std::string> provider_;
    Function<void()> changed_;
    std::string current_;
    std::vector<Told> waiting_;
    bool is_asking_ = false;
    bool is_doubtful_ = false;   // the answer that is out
    std::uint64_t question_ = 0; // answers to an older one are ignored
    bool has_ended_ = false;
    bool is_refreshing_ = false;
    bool is_watching_ = false; // expiring_ is armed
    LoopTimer expiring_;
};

} // namespace phx::shell
