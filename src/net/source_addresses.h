// login_source_ips: addresses that outgoing connections rotate over (ALG-40 ff.).
#ifndef POSTERN_NET_SOURCE_ADDRESSES_H
#define POSTERN_NET_SOURCE_ADDRESSES_H

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "net/port_windows.h"

namespace postern {

// Resolved once, before the jail. Names give all their addresses, in order. A leading '?' on the whole
// value keeps only addresses present on this host.
class SourceAddresses {
 public:
  SourceAddresses() = default;
  // `words` as in the setting; what cannot be resolved is named in `errors` and left out.
  SourceAddresses(const std::vector<std::string>& words, std::vector<std::string>& errors);

  bool empty() const { return v4_.addresses.empty() && v6_.addresses.empty(); }
  // The next address of the destination's family; none when there is none: the kernel chooses then. One
  // step per session, not per attempt (ALG-41).
  IpAddress next(IpAddress::Family family);
  // How many addresses that family has.
  size_t count(IpAddress::Family family) const;

  // A source (or none) had no port left towards `to`: not worth asking the kernel again for a second, which walks the
  // whole range each time it says no (PROBES 4).
  void mark_full(const IpAddress& source, const Endpoint& to, Instant now);
  bool is_full(const IpAddress& source, const Endpoint& to, Instant now);

  PortWindows& ports() { return ports_; }
  void set_ports(PortWindows ports) { ports_ = ports; }

 private:
  struct Full {
    IpAddress source;
    Endpoint to;
    Instant until;
  };
  struct Ring {
    std::vector<IpAddress> addresses;
    size_t at = 0;
  };
  Ring& ring(IpAddress::Family family) { return family == IpAddress::Family::V6 ? v6_ : v4_; }
  Ring v4_, v6_;
  std::vector<Full> full_;  // few, and mostly none
  PortWindows ports_;
};

}  // namespace postern

#endif
