#include "tests/support/tls_files.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <stdlib.h>

namespace phx::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

Key make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

void extend(X509* certificate, X509* issuer, int what, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
    if (!extension) throw std::runtime_error("cannot make a certificate extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/// Self-signed without an issuer.
Certificate make_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                             const char* kind_of_name = "DNS") {
    static long serial = 0;
    Certificate certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24 * 3600);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), issuer ? X509_get_subject_name(issuer) : subject);
    if (issuer) {
        extend(certificate.get(), issuer, NID_subject_alt_name,
               (kind_of_name + (':' + std::string(name))).c_str());
    } else {
        extend(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    }
    if (X509_sign(certificate.get(), issuer_key, EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
    return certificate;
}

File open_for_writing(const std::string& name) {
    File file(std::fopen(name.c_str(), "w"), &std::fclose);
    if (!file) throw std::runtime_error("cannot write " + name);
    return file;
}

void write_certificate(const std::string& name, X509* certificate) {
    PEM_write_X509(open_for_writing(name).get(), certificate);
}

} // namespace

TlsFiles::TlsFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "phx-tls-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary directory");
    directory_ = pattern;
    const Key ca_key = make_key();
    const Certificate authority = make_certificate("phx test CA", ca_key.get(), nullptr, ca_key.get());
    const Key key = make_key();
    const Certificate server = make_certificate("localhost", key.get(), authority.get(), ca_key.get());
    const Certificate ipv6 = make_certificate("::1", key.get(), authority.get(), ca_key.get(), "IP");
    const Key other_key = make_key();
    const Certificate other = make_certificate("another CA", other_key.get(), nullptr, other_key.get());
    write_certificate(ca(), authority.get());
    write_certificate(server_cert(), server.get());
    write_certificate(ipv6_cert(), ipv6.get());
    write_certificate(other_ca(), other.get());
    PEM_write_PrivateKey(open_for_writing(server_key()).get(), key.get(), nullptr, nullptr, 0, nullptr,
                         nullptr);
    const unsigned char password[] = {'x'};
    PEM_write_PrivateKey(open_for_writing(encrypted_key()).get(), key.get(), EVP_aes_256_cbc(), password,
                         sizeof password, nullptr, nullptr);
}

TlsFiles::~TlsFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

} // namespace phx::test
