// Certificates made on the spot, for tests.
#ifndef POSTERN_T_TLS_CERTIFICATES_H
#define POSTERN_T_TLS_CERTIFICATES_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <map>
#include <string>

#include "base/secret.h"

namespace postern::test {

inline std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

struct Pair {
  std::string certificate, key;
};

// Self-signed, for `san` ("DNS:mail.example.org", "IP:127.0.0.1").
inline Pair make_pair(const std::string& common_name, const std::string& san) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -60);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME* name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(cert, name);
  if (!san.empty()) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, san.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(cert, key, EVP_sha256());
  Pair pair;
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, cert);
  pair.certificate = bio_text(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  pair.key = bio_text(bio);
  X509_free(cert);
  EVP_PKEY_free(key);
  return pair;
}

// Files as the master would hand them over.
class Files {
 public:
  void add(const std::string& path, const std::string& content) { files_[path] = SecretString(content); }
  const SecretString* find(std::string_view path) const {
    const auto it = files_.find(std::string(path));
    return it == files_.end() ? nullptr : &it->second;
  }

 private:
  std::map<std::string, SecretString> files_;
};

}  // namespace postern::test

#endif
