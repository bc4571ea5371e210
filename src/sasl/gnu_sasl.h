// One exchange of GNU SASL's, as a server. The mechanisms made of it are in proof_mechanisms.h and
// vouched_mechanisms.h; this is GNU SASL's only home.
#ifndef POSTERN_SASL_GNU_SASL_H
#define POSTERN_SASL_GNU_SASL_H

#include <cstdint>
#include <string>
#include <string_view>

typedef struct Gsasl_session Gsasl_session;

namespace postern {

class GnuExchange {
 public:
  // What the library asks for, and what it has found out. Text without NUL.
  enum class Property : uint8_t {
    AuthcId,
    AuthzId,
    Password,
    Realm,
    Qops,
    DigestMd5Hash,  // the hash in hex
    ScramIterations,
    ScramSalt,
    ScramStoredKey,
    ScramServerKey,  // the last three in base64
    TlsUnique,
    TlsExporter,  // in base64
    Service,
    Hostname,
    Principal,
    kCount
  };
  enum class Result : uint8_t { Done, More, NoPassword, Failed };

  // `mechanism`: its name. One that the library does not have, or that cannot start, fails in step().
  explicit GnuExchange(const char* mechanism);
  // Passwords and keys are overwritten before the library frees them.
  ~GnuExchange();
  GnuExchange(const GnuExchange&) = delete;
  GnuExchange& operator=(const GnuExchange&) = delete;

  // `output`: what the client is to be told; unchanged when that is nothing.
  Result step(std::string_view input, std::string& output);
  void set(Property property, std::string_view value);
  // Empty when it is not known.
  std::string text(Property property) const;

  // Whether the library was built with this mechanism.
  static bool supports(std::string_view mechanism);

 private:
  Gsasl_session* session_ = nullptr;
};

}  // namespace postern

#endif
