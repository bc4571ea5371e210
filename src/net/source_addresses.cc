#include "net/source_addresses.h"

#include <sys/socket.h>

#include <algorithm>
#include <random>

#include "base/fd.h"
#include "base/text.h"
#include "net/names.h"

namespace postern {

namespace {

bool present_here(const IpAddress& ip) {
  sockaddr_storage address;
  const unsigned size = Endpoint{ip, 0}.to_sockaddr(address);
  const Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
}

}  // namespace

SourceAddresses::SourceAddresses(const std::vector<std::string>& words, std::vector<std::string>& errors) {
  const bool only_present = !words.empty() && words.front().starts_with('?');
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string name = i == 0 && only_present ? words[i].substr(1) : words[i];
    if (name.empty()) continue;
    std::string why;
    const auto addresses = resolve_now(name, why);
    if (addresses.empty()) errors.push_back("login_source_ips = " + printable(name) + ": " + why);
    for (const IpAddress& ip : addresses)
      if (!only_present || present_here(ip)) ring(ip.family()).addresses.push_back(ip);
  }
  std::random_device random;
  for (Ring* r : {&v4_, &v6_})
    if (!r->addresses.empty()) r->at = random() % r->addresses.size();
}

IpAddress SourceAddresses::next(IpAddress::Family family) {
  Ring& r = ring(family);
  if (r.addresses.empty()) return {};
  r.at = (r.at + 1) % r.addresses.size();
  return r.addresses[r.at];
}

void SourceAddresses::mark_full(const IpAddress& source, const Endpoint& to, Instant now) {
  constexpr size_t kMost = 64;
  if (full_.size() < kMost) full_.push_back({source, to, now + std::chrono::seconds(1)});
}

bool SourceAddresses::is_full(const IpAddress& source, const Endpoint& to, Instant now) {
  if (full_.empty()) return false;
  std::erase_if(full_, [&](const Full& f) { return f.until <= now; });
  return std::any_of(full_.begin(), full_.end(), [&](const Full& f) { return f.source == source && f.to == to; });
}

size_t SourceAddresses::count(IpAddress::Family family) const {
  return family == IpAddress::Family::V6 ? v6_.addresses.size() : v4_.addresses.size();
}

}  // namespace postern
