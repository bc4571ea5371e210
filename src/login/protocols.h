// The registry: the only place outside src/proto where protocols have names.
#ifndef POSTERN_LOGIN_PROTOCOLS_H
#define POSTERN_LOGIN_PROTOCOLS_H

#include <string>
#include <string_view>

#include "base/secret.h"
#include "conf/settings.h"
#include "delivery/conversation.h"
#include "proto/delivery.h"
#include "proto/protocol.h"

namespace postern {

// A server for the users of a protocol who have neither the field proxy nor a mail program here.
struct RelayHost {
  std::string host;  // empty: not set
  uint16_t port = 0;
  TlsUse tls = TlsUse::None;
  bool verify_certificate = true;
  bool trusted = false;  // it may know of the client
  std::string user;      // empty: no login there
  SecretString password;
};

// One of the two is set: clients log in, or hand over mail.
struct ServedProtocol {
  const Protocol* login;
  const DeliveryProtocol* delivery;
  // Settings that only this protocol has.
  void (*own_settings)(const Settings& settings, FrontSettings& front);
  // Where the protocol has such a server; null: it has mail programs.
  RelayHost (*relay_host)(const Settings& settings) = nullptr;
  std::string_view relay_setting{};  // what sets it, for the log
  // Where mail is taken; `proxy`: as for logins.
  DeliveryOptions (*delivery_options)(const Settings& settings, const ProxyOptions& proxy) = nullptr;

  std::string_view name() const { return login != nullptr ? login->name : delivery->name; }
  std::string_view service() const { return login != nullptr ? login->login_service : delivery->service; }
};

// The protocol that login service `service` serves ("imap-login"); null when we have none.
const ServedProtocol* find_served_protocol(std::string_view service);

}  // namespace postern

#endif
