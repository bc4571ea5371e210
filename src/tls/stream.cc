#include "tls/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/address.h"
#include "base/text.h"

namespace postern {

Stream::Stream(Stream&& other) noexcept
    : fd_(std::move(other.fd_)),
      certificate_failed_(other.certificate_failed_),
      broken_(other.broken_),
      ssl_(std::exchange(other.ssl_, nullptr)),
      error_(std::move(other.error_)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::move(other.fd_);
  certificate_failed_ = other.certificate_failed_;
  broken_ = other.broken_;
  ssl_ = std::exchange(other.ssl_, nullptr);
  error_ = std::move(other.error_);
  return *this;
}

Status Stream::begin_tls_server(const TlsContext& context, void* owner) {
  ssl_ = SSL_new(context.get());
  if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_.get()) != 1) return Error(openssl_reason());
  SSL_set_app_data(ssl_, owner);
  SSL_set_accept_state(ssl_);
  return {};
}

Status Stream::begin_tls_client(const TlsContext& context, const PeerCheck& check, std::string_view alpn) {
  ssl_ = SSL_new(context.get());
  if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_.get()) != 1) return Error(openssl_reason());
  const bool is_ip = IpAddress::parse(check.name).has_value();
  if (!is_ip && !check.name.empty()) SSL_set_tlsext_host_name(ssl_, check.name.c_str());
  if (!alpn.empty()) {
    std::string wire(1, static_cast<char>(alpn.size()));
    wire += alpn;
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
  }
  if (check.verify) {
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl_);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const std::string name(check.name);
    if ((is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str())
               : X509_VERIFY_PARAM_set1_host(param, name.data(), name.size())) != 1)
      return Error("cannot check for name " + printable(name));
    SSL_set_verify(ssl_, SSL_VERIFY_PEER, nullptr);
  } else {
    SSL_set_verify(ssl_, SSL_VERIFY_NONE, nullptr);
  }
  SSL_set_connect_state(ssl_);
  return {};
}

namespace {

std::string certificate_error(SSL* ssl, long verdict) {
  std::string subject;
  if (X509* peer = SSL_get0_peer_certificate(ssl)) {
    char* line = X509_NAME_oneline(X509_get_subject_name(peer), nullptr, 0);
    if (line != nullptr) subject = printable(line);
    OPENSSL_free(line);
  }
  return std::string("Received invalid SSL certificate: ") + X509_verify_cert_error_string(verdict) +
         (subject.empty() ? "" : ": " + subject) + " (check ssl_client_ca_* settings?)";
}

}  // namespace

IoResult Stream::from_ssl(int result) {
  const int saved_errno = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return {IoState::WantRead};
    case SSL_ERROR_WANT_WRITE: return {IoState::WantWrite};
    case SSL_ERROR_ZERO_RETURN: return {IoState::Closed};
    default: break;
  }
  broken_ = true;
  const unsigned long code = ERR_peek_last_error();
  if (code == 0 && (saved_errno == 0 || saved_errno == ECONNRESET || saved_errno == EPIPE)) return {IoState::Closed};
  const long verdict = SSL_get_verify_result(ssl_);
  certificate_failed_ = ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  if (certificate_failed_) error_ = std::make_unique<std::string>(certificate_error(ssl_, verdict));
  else error_ = std::make_unique<std::string>(code != 0 ? openssl_reason() : strerror(saved_errno));
  ERR_clear_error();
  return {IoState::Failed};
}

IoResult Stream::handshake() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return {IoState::Done};
  return from_ssl(result);
}

IoResult Stream::read(char* buffer, size_t size) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    errno = 0;
    size_t got = 0;
    const int result = SSL_read_ex(ssl_, buffer, size, &got);
    if (result == 1) return {IoState::Done, got};
    return from_ssl(result);
  }
  const ssize_t n = ::read(fd_.get(), buffer, size);
  if (n > 0) return {IoState::Done, static_cast<size_t>(n)};
  if (n == 0 || errno == ECONNRESET || errno == EPIPE) return {IoState::Closed};
  if (errno == EAGAIN || errno == EINTR) return {IoState::WantRead};
  error_ = std::make_unique<std::string>(strerror(errno));
  return {IoState::Failed};
}

IoResult Stream::write(std::string_view data) {
  if (data.empty()) return {IoState::Done, 0};
  if (ssl_ != nullptr) {
    ERR_clear_error();
    errno = 0;
    size_t put = 0;
    const int result = SSL_write_ex(ssl_, data.data(), data.size(), &put);
    if (result == 1) return {IoState::Done, put};
    return from_ssl(result);
  }
  const ssize_t n = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
  if (n >= 0) return {IoState::Done, static_cast<size_t>(n)};
  if (errno == EAGAIN || errno == EINTR) return {IoState::WantWrite};
  if (errno == ECONNRESET || errno == EPIPE) return {IoState::Closed};
  error_ = std::make_unique<std::string>(strerror(errno));
  return {IoState::Failed};
}

bool Stream::has_pending() const { return ssl_ != nullptr && SSL_has_pending(ssl_) != 0; }

void Stream::drop_tls() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  ssl_ = nullptr;
}

void Stream::close() {
  if (ssl_ != nullptr && !broken_ && SSL_is_init_finished(ssl_)) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  drop_tls();
  fd_.reset();
}

std::string Stream::tls_description() const {
  if (ssl_ == nullptr) return {};
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  int algorithm_bits = 0;
  const int bits = cipher != nullptr ? SSL_CIPHER_get_bits(cipher, &algorithm_bits) : 0;
  return std::string(SSL_get_version(ssl_)) + " with cipher " +
         (cipher != nullptr ? SSL_CIPHER_get_name(cipher) : "none") + " (" + std::to_string(bits) + "/" +
         std::to_string(algorithm_bits) + " bits)";
}

}  // namespace postern
