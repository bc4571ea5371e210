// A connected descriptor, in the clear or with TLS on it; what uses it need not know which.
#ifndef POSTERN_TLS_STREAM_H
#define POSTERN_TLS_STREAM_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/tls_facts.h"
#include "tls/context.h"

namespace postern {

// What an I/O step came to. WantRead and WantWrite name the readiness to wait for.
enum class IoState : uint8_t { Done, WantRead, WantWrite, Closed, Failed };

struct IoResult {
  IoState state = IoState::Failed;
  size_t bytes = 0;  // Done only
};

// How to check a backend's certificate.
struct PeerCheck {
  bool verify = true;  // chain and name; false: any-cert
  std::string name;    // DNS name or IP literal that the certificate must carry; also sent as SNI when a name
};

// What an authentication inside can be bound to, raw; empty: there is none of that type. Before TLS 1.3 only with an
// extended master secret (RFC 7627): without it others can have the same.
struct ChannelBindings {
  std::string tls_unique;    // RFC 5929, up to TLS 1.2
  std::string tls_exporter;  // RFC 9266
};

// What a client showed when it was asked for a certificate.
struct ClientCertificate {
  bool valid = false;  // of an authority that ServerTlsOptions names; only then are the next three set
  std::string name;    // empty: there is no such part, or it has NUL in it
  std::string fingerprint, key_fingerprint;  // SHA-256 of the certificate and of its SubjectPublicKeyInfo, hex
  std::string why;                           // shown, and not valid; for the log
};

// Owns its descriptor. Non-blocking; nothing is buffered in front of the kernel except inside TLS.
class Stream {
 public:
  Stream() = default;
  explicit Stream(Fd fd) : fd_(std::move(fd)) {}
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { close(); }

  int fd() const { return fd_.get(); }
  bool is_open() const { return static_cast<bool>(fd_); }
  bool has_tls() const { return ssl_ != nullptr; }

  // Turn the stream into a TLS server or client; then call handshake() until it is Done.
  Status begin_tls_server(const TlsContext& context, void* owner);
  Status begin_tls_client(const TlsContext& context, const PeerCheck& check, std::string_view alpn);
  // Done: established and, for clients, the peer's certificate accepted. Failed: see tls_error().
  IoResult handshake();

  IoResult read(char* buffer, size_t size);
  IoResult write(std::string_view data);
  // Whether TLS holds decrypted or received bytes that no readiness will announce.
  bool has_pending() const;
  // Says goodbye on TLS and closes.
  void close();
  // Closes without a goodbye: after fork, or when the other side is gone.
  void abandon() {
    drop_tls();
    fd_.reset();
  }

  // Of the last Failed: "Received invalid SSL certificate: self-signed certificate: /CN=x", "wrong version number".
  std::string tls_error() const { return error_ != nullptr ? *error_ : std::string(); }
  // The certificate was what failed: not worth another attempt.
  bool certificate_failed() const { return certificate_failed_; }
  // "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", for %k-like variables; empty without TLS.
  std::string tls_description() const;
  // Of an established session that we are the server of. `name_field`: part of the subject, as OpenSSL calls it.
  bool can_bind() const;
  ChannelBindings channel_bindings() const;
  ClientCertificate client_certificate(const std::string& name_field) const;
  TlsFacts facts() const;  // empty without TLS

 private:
  IoResult from_ssl(int result);
  void drop_tls();

  Fd fd_;
  bool certificate_failed_ = false;
  bool broken_ = false;  // no goodbye possible
  SSL* ssl_ = nullptr;
  std::unique_ptr<std::string> error_;
};

}  // namespace postern

#endif
