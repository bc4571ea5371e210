// The settings as one connection sees them: global values with the overrides that match it, and what is made
// from them once: TLS contexts, compiled templates, parsed networks.
#ifndef POSTERN_LOGIN_VIEW_H
#define POSTERN_LOGIN_VIEW_H

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conf/overrides.h"
#include "delivery/conversation.h"
#include "ipc/boot.h"
#include "login/log_line.h"
#include "login/protocols.h"
#include "net/source_addresses.h"
#include "proxy/proxy_login.h"
#include "tls/context.h"

namespace postern {

enum class TlsMode : uint8_t { Off, Offered, Required };

struct View {
  Settings settings;
  FrontSettings front;
  ProxyOptions proxy;
  DeliveryOptions delivery;
  LogElements elements;
  TlsMode tls_mode = TlsMode::Offered;
  std::shared_ptr<TlsContext> front_tls, back_tls;  // null: not possible, see front_tls_error
  std::string front_tls_error;
  std::vector<Network> trusted, balancers;  // login_trusted_networks, haproxy_trusted_networks
  Milliseconds login_timeout{180000}, haproxy_timeout{3000}, disconnect_delay{0};
  bool mask_refusals = true;
  bool auth_verbose = false;
  size_t max_output = 4096;

  // How message and elements make a line; lives as long as the process.
  std::string_view log_format() const { return settings.text(Key::login_log_format); }
  bool trusts(const IpAddress& ip) const;
  bool trusts_balancer(const IpAddress& ip) const;
};

// All views of a process by the set of overrides that match. Needs no loop: a prepared parent fills it
// before it forks.
class Views {
 public:
  // `files`: what the master read for us. `tickets` outlives this. The error of the view without overrides ends the
  // process.
  Views(const ChildBoot& boot, const ServedProtocol& served, FileLookup files, TicketKeys& tickets);

  // For a connection from `remote` to `local`, with the name the client gave by SNI (empty: none).
  std::shared_ptr<const View> find(const IpAddress& local, const IpAddress& remote, std::string_view name);
  // Builds what is likely to be needed, so that a fork has it.
  void prepare();
  SourceAddresses& sources() { return sources_; }
  // Where messages are kept; not available to services that take none.
  const SpoolFolder& spool_folder() const { return spool_folder_; }
  const ServedProtocol& served() const { return served_; }
  // For users without the field proxy; null where the protocol has no such server or none is set.
  const ProxyRoute* relay_host() const { return relay_host_ ? &*relay_host_ : nullptr; }

 private:
  std::shared_ptr<const View> build(const Settings& settings);
  void find_relay_host();
  void open_spool_folder();
  std::shared_ptr<TlsContext> front_tls(const Settings& settings, std::string& error);
  std::shared_ptr<TlsContext> back_tls(const Settings& settings, std::string& error);

  const ChildBoot& boot_;
  const ServedProtocol& served_;
  FileLookup files_;
  LocalKeys keys_;
  TicketKeys& tickets_;
  SourceAddresses sources_;
  SpoolFolder spool_folder_;
  std::string hostname_;
  std::optional<ProxyRoute> relay_host_;
  std::map<OverrideSet, std::shared_ptr<const View>> by_overrides_;
};

}  // namespace postern

#endif
