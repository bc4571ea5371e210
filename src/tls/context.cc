#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/text.h"

namespace postern {

std::string tls_library_version() { return OpenSSL_version(OPENSSL_VERSION); }

namespace {

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;

Bio memory_bio(const SecretString& pem) {
  return Bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size())), BIO_free);
}

struct ProtocolName {
  std::string_view name;
  int version;
};
constexpr ProtocolName kProtocols[] = {
    {"TLSv1", TLS1_VERSION}, {"TLSv1.1", TLS1_1_VERSION}, {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};

Status apply_policy(SSL_CTX* context, const TlsPolicy& policy) {
  int version = 0;
  for (const auto& [name, number] : kProtocols)
    if (iequals(name, policy.min_protocol)) version = number;
  if (version == 0) return Error("ssl_min_protocol = " + policy.min_protocol + ": unknown protocol version");
  SSL_CTX_set_min_proto_version(context, version);
  if (!policy.ciphers.empty() && SSL_CTX_set_cipher_list(context, policy.ciphers.c_str()) != 1)
    return Error("ssl_cipher_list = " + policy.ciphers + ": " + openssl_reason());
  if (!policy.cipher_suites.empty() && SSL_CTX_set_ciphersuites(context, policy.cipher_suites.c_str()) != 1)
    return Error("ssl_cipher_suites = " + policy.cipher_suites + ": " + openssl_reason());
  if (!policy.curves.empty() && SSL_CTX_set1_curves_list(context, policy.curves.c_str()) != 1)
    return Error("ssl_curve_list = " + policy.curves + ": " + openssl_reason());
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (policy.prefer_server_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // RELEASE_BUFFERS is worth 33 KiB per idle session (PROBES 6); the other two let a write be retried
  // from another place, which is what the relay's one buffer needs.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read call per record instead of two.
  SSL_CTX_set_read_ahead(context, 1);
  return {};
}

// First certificate is the server's own, the others its chain, as in OpenSSL's chain files.
Status use_chain(SSL_CTX* context, const SecretString& pem) {
  const Bio bio = memory_bio(pem);
  const std::unique_ptr<X509, void (*)(X509*)> own(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr),
                                                   X509_free);
  if (!own) return Error("no certificate in PEM form: " + openssl_reason());
  if (SSL_CTX_use_certificate(context, own.get()) != 1) return Error(openssl_reason());
  SSL_CTX_clear_chain_certs(context);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) SSL_CTX_add0_chain_cert(context, next);
  ERR_clear_error();
  return {};
}

Status use_pair(SSL_CTX* context, const std::string& certificate, const std::string& key, const FileLookup& files,
                KeySource& keys) {
  const SecretString* pem = files(certificate);
  if (pem == nullptr) return Error("ssl_cert = " + certificate + ": no such file");
  if (const Status s = use_chain(context, *pem); !s) return Error("ssl_cert = " + certificate + ": " + s.error());
  if (const Status s = keys.install(context, key); !s) return Error("ssl_key = " + key + ": " + s.error());
  return {};
}

// How many authorities there were.
size_t trust_all(SSL_CTX* context, const SecretString& pem) {
  const Bio bio = memory_bio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  size_t count = 0;
  while (X509* ca = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, ca);
    X509_free(ca);
    ++count;
  }
  ERR_clear_error();
  return count;
}

// A certificate that is not valid is no reason to talk to nobody: SSL_get_verify_result() tells, and who needs one
// looks there.
int check_certificate(X509_STORE_CTX* store, void*) {
  X509_verify_cert(store);
  ERR_clear_error();
  return 1;
}

Status ask_for_certificates(SSL_CTX* context, const std::string& path, const FileLookup& files) {
  const SecretString* pem = path.empty() ? nullptr : files(path);
  if (pem == nullptr)
    return Error("ssl_ca = " + path + ": " + (path.empty() ? "needed for clients' certificates" : "no such file"));
  if (trust_all(context, *pem) == 0) return Error("ssl_ca = " + path + ": no certificate in PEM form");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, nullptr);
  SSL_CTX_set_cert_verify_callback(context, check_certificate, nullptr);
  // Clients choose what they show by the names of these authorities.
  const Bio bio = memory_bio(*pem);
  while (X509* ca = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_client_CA(context, ca);
    X509_free(ca);
  }
  ERR_clear_error();
  // A session that is taken up again brings its certificate along, verified once and maybe for other authorities: none
  // is kept.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  return {};
}

// The other context's certificates come along by themselves, what it asks of clients does not.
void use_context(SSL* ssl, SSL_CTX* other) {
  SSL_set_SSL_CTX(ssl, other);
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(other), nullptr);
  if ((SSL_CTX_get_options(other) & SSL_OP_NO_TICKET) == 0) return;
  SSL_set_options(ssl, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(ssl, 0);
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

int TlsContext::on_server_name(SSL* ssl, int*, void* self) {
  auto* context = static_cast<TlsContext*>(self);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr || context->chooser_ == nullptr) return SSL_TLSEXT_ERR_NOACK;
  if (TlsContext* other = context->chooser_(SSL_get_app_data(ssl), name); other != nullptr && other != context)
    use_context(ssl, other->get());
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<TlsContext>> TlsContext::for_clients(const ServerTlsOptions& options, const FileLookup& files,
                                                            KeySource& keys) {
  std::shared_ptr<TlsContext> tls(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* context = tls->context_;
  if (const Status s = apply_policy(context, options.policy); !s) return Error(s.error());
  if (options.pairs.empty()) return Error("ssl_cert is not set");
  for (const auto& pair : options.pairs)
    if (const Status s = use_pair(context, pair.certificate, pair.key, files, keys); !s) return Error(s.error());
  // Resumption by tickets only: they work across workers, and nothing is kept here per client.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kIdContext[] = "postern";
  SSL_CTX_set_session_id_context(context, kIdContext, sizeof kIdContext - 1);
  SSL_CTX_set_num_tickets(context, options.one_shot ? 0 : 1);
  if (options.tickets != nullptr) options.tickets->use_in(context);
  if (options.ask_certificate)
    if (const Status s = ask_for_certificates(context, options.client_ca, files); !s) return Error(s.error());
  SSL_CTX_set_tlsext_servername_callback(context, &TlsContext::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, tls.get());
  return tls;
}

Result<std::shared_ptr<TlsContext>> TlsContext::for_backends(const ClientTlsOptions& options, const FileLookup& files,
                                                             KeySource& keys) {
  std::shared_ptr<TlsContext> tls(new TlsContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = tls->context_;
  if (const Status s = apply_policy(context, options.policy); !s) return Error(s.error());
  for (const std::string& path : options.ca_files) {
    const SecretString* pem = files(path);
    if (pem == nullptr) return Error("ssl_client_ca_file = " + path + ": no such file");
    if (trust_all(context, *pem) == 0) return Error("ssl_client_ca_file = " + path + ": no certificate in PEM form");
  }
  for (const std::string& path : options.ca_folder_files)
    if (const SecretString* pem = files(path)) trust_all(context, *pem);
  if (!options.certificate.empty())
    if (const Status s = use_pair(context, options.certificate, options.key, files, keys); !s) return Error(s.error());
  return tls;
}

}  // namespace postern
