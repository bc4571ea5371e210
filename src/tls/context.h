// SSL_CTX with our policy: one kind for clients that come to us, one for backends we go to.
#ifndef POSTERN_TLS_CONTEXT_H
#define POSTERN_TLS_CONTEXT_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "tls/keys.h"
#include "tls/tickets.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace postern {

// "OpenSSL 3.0.15 ...", as it is linked.
std::string tls_library_version();

// Content of a file the settings name; null when it was not handed over.
using FileLookup = std::function<const SecretString*(std::string_view path)>;

struct TlsPolicy {
  std::string min_protocol = "TLSv1.2";
  std::string ciphers;        // ssl_cipher_list, up to TLS 1.2; empty: OpenSSL's
  std::string cipher_suites;  // TLS 1.3
  std::string curves;         // ssl_curve_list; empty: OpenSSL's
  bool prefer_server_ciphers = false;
};

struct ServerTlsOptions {
  TlsPolicy policy;
  struct Pair {
    std::string certificate, key;  // paths as in the settings
  };
  std::vector<Pair> pairs;        // ssl_cert/ssl_key, ssl_alt_cert/ssl_alt_key
  TicketKeys* tickets = nullptr;  // null: keys of this context's own
  bool ask_certificate = false;   // of clients; they may have none, or one that is not valid
  std::string client_ca;          // path: who signs them; needed then
  bool one_shot = false;          // a process that serves one connection: nothing is kept for a next one
};

struct ClientTlsOptions {
  TlsPolicy policy;
  std::vector<std::string> ca_files;  // paths; each must hold a certificate
  std::vector<std::string>
      ca_folder_files;           // paths of what lies in a folder; some need not. Neither: nothing is trusted
  std::string certificate, key;  // shown to backends that ask
};

// Owns an SSL_CTX. Shared by the sessions that use it.
class TlsContext {
 public:
  static Result<std::shared_ptr<TlsContext>> for_clients(const ServerTlsOptions& options, const FileLookup& files,
                                                         KeySource& keys);
  static Result<std::shared_ptr<TlsContext>> for_backends(const ClientTlsOptions& options, const FileLookup& files,
                                                          KeySource& keys);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* get() const { return context_; }

  // Chooses another context by the name a client sent (SNI, RFC 6066 section 3). Called during the handshake with the
  // stream's owner; returns null to stay with this one.
  using NameChooser = TlsContext* (*)(void* owner, std::string_view name);
  void set_name_chooser(NameChooser chooser) { chooser_ = chooser; }

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  static int on_server_name(SSL* ssl, int* alert, void* self);

  SSL_CTX* context_;
  NameChooser chooser_ = nullptr;
};

}  // namespace postern

#endif
