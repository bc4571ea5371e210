#include "net/names.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace postern {

std::vector<IpAddress> resolve_now(const std::string& name, std::string& why) {
  if (const auto ip = IpAddress::parse(name)) return {*ip};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    why = ::gai_strerror(error);
    return {};
  }
  std::vector<IpAddress> out;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) out.push_back(Endpoint::from_sockaddr(a->ai_addr).ip);
  ::freeaddrinfo(found);
  return out;
}

std::string machine_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  if (std::string(name).find('.') != std::string::npos) return name;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return name;
  std::string full = found->ai_canonname != nullptr ? found->ai_canonname : name;
  ::freeaddrinfo(found);
  return full;
}

}  // namespace postern
