#include "login/view.h"

#include <sys/utsname.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "config.h"
#include "net/names.h"
#include "sasl/mechanisms.h"

namespace postern {

namespace {

bool in_any(const std::vector<Network>& networks, const IpAddress& ip) {
  return std::any_of(networks.begin(), networks.end(), [&](const Network& n) { return n.contains(ip); });
}

std::vector<Network> parse_networks(const std::vector<std::string>& texts) {
  std::vector<Network> out;
  for (const std::string& text : texts)
    if (const auto network = Network::parse(text)) out.push_back(*network);
  return out;
}

}  // namespace

bool View::trusts(const IpAddress& ip) const { return in_any(trusted, ip); }
bool View::trusts_balancer(const IpAddress& ip) const { return in_any(balancers, ip); }

namespace {

TlsMode tls_mode_of(const Settings& s) {
  const std::string& word = s.text(Key::ssl);
  return word == "no" ? TlsMode::Off : word == "required" ? TlsMode::Required : TlsMode::Offered;
}

FrontSettings front_settings(const Settings& s, const ServedProtocol& served) {
  FrontSettings front;
  front.greeting = s.text(Key::login_greeting);
  front.tls_required = tls_mode_of(s) == TlsMode::Required;
  front.allow_plaintext = !s.flag(Key::disable_plaintext_auth) && !front.tls_required;
  front.version = PACKAGE_VERSION;
  utsname system{};
  if (::uname(&system) == 0) {
    front.os = system.sysname;
    front.os_version = system.release;
  }
  front.max_line = static_cast<size_t>(s.number(Key::login_max_line));
  front.max_literal = static_cast<size_t>(s.number(Key::login_max_literal));
  front.max_sasl = static_cast<size_t>(s.number(Key::login_max_sasl));
  front.max_token = static_cast<size_t>(s.number(Key::auth_max_token_size));
  front.max_bad_commands = static_cast<unsigned>(s.number(Key::login_max_bad_commands));
  for (const MechanismInfo* m : select_mechanisms(s.list(Key::auth_mechanisms)))
    if (!m->anonymous || (served.login != nullptr && served.login->takes_anonymous))
      front.mechanisms.push_back({std::string(m->name), m->plaintext, m->is_private, m->need});
  front.wants_stamp =
      std::any_of(front.mechanisms.begin(), front.mechanisms.end(), [](const auto& m) { return m.is_private; });
  return front;
}

// What the master read for us from a folder.
std::vector<std::string> files_in(const ChildBoot& boot, const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& [path, content] : boot.files)
    if (path.starts_with(folder + "/")) out.push_back(path);
  return out;
}

TlsPolicy tls_policy(const Settings& s) {
  return {s.text(Key::ssl_min_protocol), s.text(Key::ssl_cipher_list), s.text(Key::ssl_cipher_suites),
          s.text(Key::ssl_curve_list), s.flag(Key::ssl_prefer_server_ciphers)};
}

bool asks_certificate(const Settings& s) {
  return s.flag(Key::ssl_verify_client_cert) || s.flag(Key::auth_ssl_require_client_cert) ||
         s.flag(Key::auth_ssl_username_from_cert);
}

}  // namespace

Views::Views(const ChildBoot& boot, const ServedProtocol& served, FileLookup files, TicketKeys& tickets)
    : boot_(boot), served_(served), files_(std::move(files)), keys_(files_), tickets_(tickets) {
  std::vector<std::string> errors;
  sources_ = SourceAddresses(boot.configuration.settings.list(Key::login_source_ips), errors);
  sources_.set_ports(PortWindows::of_this_host());
  for (const std::string& e : errors) log_error(e);
  hostname_ = boot.configuration.settings.text(Key::hostname);
  if (hostname_.empty()) hostname_ = machine_name();
  find_relay_host();
  if (served_.delivery != nullptr) open_spool_folder();
}

void Views::open_spool_folder() {
  auto folder = SpoolFolder::open(boot_.configuration.settings.text(Key::mail_temp_dir));
  if (folder) spool_folder_ = std::move(*folder);
  else log_error("mail_temp_dir = " + folder.error());
}

// Its name is resolved now: the jail has no resolver.
void Views::find_relay_host() {
  if (served_.relay_host == nullptr) return;
  RelayHost relay = served_.relay_host(boot_.configuration.settings);
  if (relay.host.empty()) return;
  std::string why;
  ProxyRoute& route = relay_host_.emplace();
  route.addresses = resolve_now(relay.host, why);
  if (route.addresses.empty())
    log_error(std::string(served_.relay_setting) + " = " + printable(relay.host) + ": " + why);
  route.host = std::move(relay.host);
  route.port = relay.port;
  route.tls = relay.tls;
  route.verify_certificate = relay.verify_certificate;
  route.trusted = relay.trusted;
  route.authenticate = !relay.user.empty();
  route.destuser = std::move(relay.user);
  route.password = std::move(relay.password);
}

std::shared_ptr<TlsContext> Views::front_tls(const Settings& s, std::string& error) {
  ServerTlsOptions options;
  options.policy = tls_policy(s);
  options.tickets = &tickets_;
  options.one_shot = boot_.one_shot;
  if (!s.text(Key::ssl_cert).empty()) options.pairs.push_back({s.text(Key::ssl_cert), s.text(Key::ssl_key)});
  if (!s.text(Key::ssl_alt_cert).empty())
    options.pairs.push_back({s.text(Key::ssl_alt_cert), s.text(Key::ssl_alt_key)});
  options.ask_certificate = asks_certificate(s);
  options.client_ca = s.text(Key::ssl_ca);
  auto context = TlsContext::for_clients(options, files_, keys_);
  if (context) return *context;
  error = context.error();
  return nullptr;
}

std::shared_ptr<TlsContext> Views::back_tls(const Settings& s, std::string& error) {
  ClientTlsOptions options;
  options.policy = tls_policy(s);
  for (Key key : {Key::ssl_client_ca_file, Key::ssl_ca})
    if (!s.text(key).empty()) options.ca_files.push_back(s.text(key));
  if (const std::string& folder = s.text(Key::ssl_client_ca_dir); !folder.empty())
    options.ca_folder_files = files_in(boot_, folder);
  options.certificate = s.text(Key::ssl_client_cert);
  options.key = s.text(Key::ssl_client_key);
  auto context = TlsContext::for_backends(options, files_, keys_);
  if (context) return *context;
  error = context.error();
  return nullptr;
}

std::shared_ptr<const View> Views::build(const Settings& s) {
  auto view = std::make_shared<View>();
  view->settings = s;
  view->front = front_settings(s, served_);
  view->front.hostname = hostname_;
  served_.own_settings(s, view->front);
  auto elements = LogElements::compile(s.text(Key::login_log_format_elements));
  if (!elements) fatal(kExitConfig, elements.error());
  view->elements = std::move(*elements);
  view->tls_mode = tls_mode_of(s);
  if (view->tls_mode != TlsMode::Off) view->front_tls = front_tls(s, view->front_tls_error);
  if (!view->front_tls_error.empty()) log_error("TLS towards clients is not possible: " + view->front_tls_error);
  view->back_tls = back_tls(s, view->proxy.tls_error);
  view->proxy.tls = view->back_tls.get();
  view->proxy.require_valid_cert = s.flag(Key::ssl_client_require_valid_cert);
  view->proxy.timeout = s.time(Key::login_proxy_timeout);
  view->proxy.max_reconnects = static_cast<unsigned>(s.number(Key::login_proxy_max_reconnects));
  view->proxy.retry_pause = s.time(Key::login_proxy_reconnect_delay);
  view->proxy.immediate_failure_after = s.time(Key::proxy_host_immediate_failure_after);
  view->proxy.limits.line = static_cast<size_t>(s.number(Key::login_proxy_max_line));
  if (served_.delivery_options != nullptr) view->delivery = served_.delivery_options(s, view->proxy);
  view->trusted = parse_networks(s.list(Key::login_trusted_networks));
  view->balancers = parse_networks(s.list(Key::haproxy_trusted_networks));
  view->login_timeout = s.time(Key::login_timeout);
  view->haproxy_timeout = s.time(Key::haproxy_timeout);
  view->disconnect_delay = s.time(Key::login_proxy_max_disconnect_delay);
  const auto& masked = s.list(Key::login_proxy_mask_auth_failures);
  view->mask_refusals = std::find(masked.begin(), masked.end(), served_.name()) != masked.end();
  view->auth_verbose = s.flag(Key::auth_verbose);
  view->max_output = static_cast<size_t>(s.number(Key::login_max_output));
  return view;
}

std::shared_ptr<const View> Views::find(const IpAddress& local, const IpAddress& remote, std::string_view name) {
  const OverrideSet set = matching_overrides(boot_.configuration, {served_.name(), local, remote, name});
  auto& view = by_overrides_[set];
  if (!view) view = build(merged_settings(boot_.configuration, set));
  return view;
}

void Views::prepare() {
  find({}, {}, {});
  for (const BootListener& l : boot_.listeners) find(l.local.ip, {}, {});
}

}  // namespace postern
