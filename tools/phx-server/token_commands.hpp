#pragma once

#include "tools/phx-server/flags.hpp"
#include "tools/phx-server/token_keys.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace phx::tools {

/// `phx-server gen-token`: a token for tests and for scripts, to stdout.
class GenToken {
public:
    explicit GenToken(CLI::App& program);
    bool is_asked() const { return command_->parsed(); }
    /// The exit code: 0, 1 cannot read, 2 usage.
    int run() const;

private:
    Result<std::string> claims() const;
    Result<phx::server::SigningKey> key() const;

    CLI::App* command_;
    std::string secret_file_, private_key_file_, algorithm_, kid_, sub_;
    std::string expires_in_ = "1h";
    std::vector<std::string> roles_, permissions_, claims_;
};

/// `phx-server check-token`: what the server, with the same settings, would say to a token.
class CheckToken {
public:
    CheckToken(CLI::App& program, const Flags&);
    bool is_asked() const { return command_->parsed(); }
    /// The exit code: 0, 1 refused or cannot read, 2 usage or configuration.
    int run() const;

private:
    CLI::App* command_;
    const Flags& flags_;
    std::string token_file_ = "-";
    std::string audience_, issuer_;
};

} // namespace phx::tools
