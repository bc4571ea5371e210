// What a Stream tells of its client's certificate and of the session it can be bound to.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "tls/stream.h"

namespace postern {

namespace {

constexpr size_t kLongestName = 1024, kLongestPem = 16384;
constexpr size_t kBindingSize = 32;  // RFC 9266 section 2
constexpr std::string_view kExporterLabel = "EXPORTER-Channel-Binding";

std::string hex(const unsigned char* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string fingerprint(X509* certificate, const EVP_MD* kind) {
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  return X509_digest(certificate, kind, made, &size) == 1 ? hex(made, size) : std::string();
}

// Of the whole SubjectPublicKeyInfo, as RFC 7469 has it.
std::string key_fingerprint(X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length <= 0) return {};
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool done = EVP_Digest(der, static_cast<size_t>(length), made, &size, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  return done ? hex(made, size) : std::string();
}

// The first of that kind; nothing for one that no user can have.
std::string subject_part(X509* certificate, const std::string& field) {
  const int nid = OBJ_txt2nid(field.c_str());
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = nid == NID_undef ? -1 : X509_NAME_get_index_by_NID(subject, nid, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  std::string out = size > 0 ? std::string(reinterpret_cast<char*>(text), static_cast<size_t>(size)) : std::string();
  if (size >= 0) OPENSSL_free(text);
  return out.size() > kLongestName || out.find('\0') != std::string::npos ? std::string() : out;
}

std::string subject_line(X509* certificate) {
  char* line = X509_NAME_oneline(X509_get_subject_name(certificate), nullptr, 0);
  std::string out = line != nullptr ? printable(line, 200) : std::string();
  OPENSSL_free(line);
  return out;
}

// What a function of OpenSSL writes into a BIO; empty when it fails, or writes more than `longest`.
template <class Write>
std::string written(size_t longest, Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  char* text = nullptr;
  if (!out || !write(out.get())) return {};
  const long size = BIO_get_mem_data(out.get(), &text);
  return size <= 0 || static_cast<size_t>(size) > longest ? std::string()
                                                          : std::string(text, static_cast<size_t>(size));
}

std::string rfc2253(X509_NAME* name) {
  return written(kLongestName, [name](BIO* out) { return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0; });
}

std::string serial_number(X509* certificate) {
  return written(kLongestName,
                 [certificate](BIO* out) { return i2a_ASN1_INTEGER(out, X509_get0_serialNumber(certificate)) > 0; });
}

std::string pem(X509* certificate) {
  return written(kLongestPem, [certificate](BIO* out) { return PEM_write_bio_X509(out, certificate) == 1; });
}

X509* valid_certificate(SSL* ssl) {
  const bool asked = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
  return asked ? SSL_get0_peer_certificate(ssl) : nullptr;
}

// The first Finished message of the handshake, which a resumed session's server sent (RFC 5929 section 3.1).
std::string tls_unique(SSL* ssl) {
  unsigned char buffer[EVP_MAX_MD_SIZE];
  const bool server_first = SSL_session_reused(ssl) == 1;
  const size_t size =
      server_first ? SSL_get_finished(ssl, buffer, sizeof buffer) : SSL_get_peer_finished(ssl, buffer, sizeof buffer);
  return {reinterpret_cast<char*>(buffer), std::min(size, sizeof buffer)};
}

std::string tls_exporter(SSL* ssl) {
  unsigned char buffer[kBindingSize];
  if (SSL_export_keying_material(ssl, buffer, sizeof buffer, kExporterLabel.data(), kExporterLabel.size(), nullptr, 0,
                                 1) != 1)
    return {};
  return {reinterpret_cast<char*>(buffer), sizeof buffer};
}

}  // namespace

bool Stream::can_bind() const {
  return ssl_ != nullptr && SSL_is_init_finished(ssl_) &&
         (SSL_version(ssl_) >= TLS1_3_VERSION || SSL_get_extms_support(ssl_) == 1);
}

ChannelBindings Stream::channel_bindings() const {
  if (!can_bind()) return {};
  ChannelBindings out;
  out.tls_exporter = tls_exporter(ssl_);
  if (SSL_version(ssl_) < TLS1_3_VERSION) out.tls_unique = tls_unique(ssl_);
  return out;
}

ClientCertificate Stream::client_certificate(const std::string& name_field) const {
  ClientCertificate out;
  X509* certificate = ssl_ != nullptr ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (certificate == nullptr || SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE) return out;
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    out.why = std::string(X509_verify_cert_error_string(verdict)) + ": " + subject_line(certificate);
    return out;
  }
  out.valid = true;
  out.name = subject_part(certificate, name_field);
  out.fingerprint = fingerprint(certificate, EVP_sha256());
  out.key_fingerprint = key_fingerprint(certificate);
  return out;
}

TlsFacts Stream::facts() const {
  TlsFacts out;
  if (ssl_ == nullptr || !SSL_is_init_finished(ssl_)) return out;
  out.protocol = SSL_get_version(ssl_);
  out.cipher = SSL_get_cipher_name(ssl_);
  X509* certificate = valid_certificate(ssl_);
  if (certificate == nullptr) return out;
  out.subject = rfc2253(X509_get_subject_name(certificate));
  out.issuer = rfc2253(X509_get_issuer_name(certificate));
  out.serial = serial_number(certificate);
  out.sha1 = fingerprint(certificate, EVP_sha1());
  out.pem = pem(certificate);
  return out;
}

}  // namespace postern
