// The registry: the only place outside src/proto where protocols have names.
#ifndef POSTERN_LOGIN_PROTOCOLS_H
#define POSTERN_LOGIN_PROTOCOLS_H

#include <string_view>

#include "conf/settings.h"
#include "proto/protocol.h"

namespace postern {

struct ServedProtocol {
  const Protocol& protocol;
  // Settings that only this protocol has.
  void (*own_settings)(const Settings& settings, FrontSettings& front);
};

// The protocol that login service `service` serves ("imap-login"); null when we have none.
const ServedProtocol* find_served_protocol(std::string_view service);

}  // namespace postern

#endif
