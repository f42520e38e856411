#pragma once

#include <string>

namespace phx::test {

/// A directory with certificates that are made for the test and removed with it.
class TlsFiles {
public:
    TlsFiles();
    ~TlsFiles();
    TlsFiles(const TlsFiles&) = delete;
    TlsFiles& operator=(const TlsFiles&) = delete;

    std::string ca() const { return directory_ + "/ca.pem"; }              ///< signed the next ones
    std::string server_cert() const { return directory_ + "/server.pem"; } ///< for "localhost"
    std::string server_key() const { return directory_ + "/server.key"; }
    std::string ipv6_cert() const { return directory_ + "/ipv6.pem"; } ///< for "::1", with the same key
    std::string encrypted_key() const {
        return directory_ + "/encrypted.key";
    }                                                                  ///< server_key(), password "x"
    std::string other_ca() const { return directory_ + "/other.pem"; } ///< signed nothing

private:
    std::string directory_;
};

} // namespace phx::test
