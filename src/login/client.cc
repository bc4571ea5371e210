#include "login/client.h"

#include <fmt/core.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/check.h"

namespace postern {

AuthSubject subject_of(const ClientInfo& client, uint32_t pid) {
  AuthSubject s;
  s.service = client.protocol;
  s.session = client.session;
  s.local_name = client.local_name;
  s.client_id = client.client_id;
  s.remote = client.remote;
  s.local = client.local;
  s.real_remote = client.real_remote;
  s.real_local = client.real_local;
  s.secured = client.tls;
  s.pid = pid;
  s.forward = client.forward;
  s.cert_valid = client.cert_valid;
  s.cert_name = client.cert_name;
  s.cert_fp = client.cert_fp;
  s.cert_key_fp = client.cert_key_fp;
  return s;
}

std::string make_stamp() {
  uint64_t words[2];
  POSTERN_CHECK(::getrandom(words, sizeof words, 0) == sizeof words, "no random bytes");
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

std::string make_session_id(uint64_t microseconds, const Endpoint& remote) {
  static uint64_t last = 0;
  static uint16_t counter = 0;
  microseconds &= 0xffffffffffff;
  if (microseconds <= last) microseconds = last + 1;  // never twice in one process
  last = microseconds;
  char raw[8 + 16];
  size_t size = 0;
  for (int i = 0; i < 6; ++i) raw[size++] = static_cast<char>(microseconds >> (8 * i));
  const uint16_t port = remote.ip.is_none() ? ++counter : remote.port;
  raw[size++] = static_cast<char>(port);
  raw[size++] = static_cast<char>(port >> 8);
  for (char c : remote.ip.bytes()) raw[size++] = c;
  return base64_encode_unpadded({raw, size});
}

}  // namespace postern
