#include "proxy/route.h"

#include <fmt/core.h>

#include "base/text.h"
#include "sasl/client.h"

namespace postern {

namespace {

// The fields as they are read, before their combination is looked at.
struct Fields {
  bool proxy = false, nologin = false;
  std::optional<std::string> host, reason;
  std::optional<IpAddress> hostip;
  std::optional<uint16_t> port;
  std::optional<std::string> destuser, protocol;
  bool implicit_tls = false, starttls = false, any_cert = false;
  ProxyRoute route;
};

// A field's reader returns what is wrong with the value, or an empty string.
using ReadField = std::string (*)(Fields&, const std::string& value);

std::string read_ip(const std::string& value, std::optional<IpAddress>& out) {
  if (value.empty()) return {};  // empty means unset
  out = IpAddress::parse(value);
  return out ? "" : "not an IP address";
}

std::string read_port(Fields& f, const std::string& value) {
  const auto number = parse_number(value, 65535);
  if (!number || *number == 0) return "not a port (1-65535)";
  f.port = static_cast<uint16_t>(*number);
  return {};
}

struct Unit {
  std::string_view name;
  uint64_t milliseconds;
};
constexpr Unit kUnits[] = {
    {"seconds", 1000},  {"secs", 1000},      {"minutes", 60000}, {"mins", 60000},
    {"hours", 3600000}, {"milliseconds", 1}, {"msecs", 1},
};

// A plain number is seconds here; else any prefix of a unit, where "m" is minutes (FLD table, section 6).
std::string read_time(const std::string& value, Milliseconds& out) {
  const size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
  const auto number = parse_number(std::string_view(value).substr(0, digits), 1000000);
  if (!number) return "not a time";
  const std::string unit = to_lower(trim(std::string_view(value).substr(digits)));
  uint64_t factor = unit.empty() ? 1000 : unit == "ms" ? 1 : 0;
  for (const Unit& u : kUnits)
    if (factor == 0 && u.name.starts_with(unit)) factor = u.milliseconds;
  if (factor == 0) return "unknown unit";
  out = Milliseconds(*number * factor);
  return {};
}

// How often to tell a director (2.3) that the session lives: there is none here to be told.
std::string read_refresh(Fields&, const std::string& value) {
  return parse_number(value, UINT32_MAX) ? "" : "not a number of seconds";
}

std::string read_tls(Fields& f, const std::string& value, bool& which) {
  which = true;
  if (value == "any-cert") f.any_cert = true;
  return {};
}

std::string read_header_version(Fields& f, const std::string& value) {
  if (!iequals(value, "v1") && !iequals(value, "v2")) return "neither v1 nor v2";
  f.route.haproxy = iequals(value, "v1") ? ProxyHeaderVersion::V1 : ProxyHeaderVersion::V2;
  return {};
}

struct Field {
  std::string_view name;
  ReadField read;
};

constexpr Field kFields[] = {
    {"proxy", [](Fields& f, const std::string&) { return f.proxy = true, std::string(); }},
    {"nologin", [](Fields& f, const std::string&) { return f.nologin = true, std::string(); }},
    {"host", [](Fields& f, const std::string& v) { return f.host = v, std::string(); }},
    {"hostip", [](Fields& f, const std::string& v) { return read_ip(v, f.hostip); }},
    {"port", read_port},
    {"destuser", [](Fields& f, const std::string& v) { return f.destuser = v, std::string(); }},
    {"protocol", [](Fields& f, const std::string& v) { return f.protocol = v, std::string(); }},
    {"reason", [](Fields& f, const std::string& v) { return f.reason = v, std::string(); }},
    {"master", [](Fields& f, const std::string& v) { return f.route.master = v, std::string(); }},
    {"proxy_mech", [](Fields& f, const std::string& v) { return f.route.mechanism = to_upper(v), std::string(); }},
    {"proxy_timeout", [](Fields& f, const std::string& v) { return read_time(v, f.route.timeout); }},
    {"proxy_haproxy", read_header_version},
    {"proxy_nopipelining", [](Fields& f, const std::string&) { return f.route.pipelining = false, std::string(); }},
    {"proxy_noauth", [](Fields& f, const std::string&) { return f.route.authenticate = false, std::string(); }},
    {"proxy_not_trusted", [](Fields& f, const std::string&) { return f.route.trusted = false, std::string(); }},
    {"proxy_host_immediate_failure_after",
     [](Fields& f, const std::string& v) { return read_time(v, f.route.immediate_failure_after.emplace()); }},
    {"proxy_refresh", read_refresh},
    {"source_ip", [](Fields& f, const std::string& v) { return read_ip(v, f.route.source); }},
    {"ssl", [](Fields& f, const std::string& v) { return read_tls(f, v, f.implicit_tls); }},
    {"starttls", [](Fields& f, const std::string& v) { return read_tls(f, v, f.starttls); }},
};

constexpr std::string_view kForwardPrefix = "forward_";

Status read_fields(Fields& f, const FieldList& list) {
  for (const auto& [name, value] : list) {
    if (istarts_with(name, kForwardPrefix)) {
      f.route.forward.emplace_back(name.substr(kForwardPrefix.size()), value);
      continue;
    }
    for (const Field& field : kFields) {
      if (field.name != name) continue;
      const std::string wrong = field.read(f, value);
      if (!wrong.empty())
        return Error(fmt::format("Auth service returned invalid {} value '{}': {}", name, printable(value), wrong));
    }
  }
  return {};
}

std::optional<ReferralTarget> referral_from(const Fields& f, const BackSide& back, const std::string& user,
                                            std::string_view mechanism) {
  if (!f.host || f.host->empty()) return std::nullopt;
  const uint16_t fallback = f.implicit_tls ? back.tls_port : back.port;
  return ReferralTarget{f.destuser.value_or(user), std::string(mechanism), *f.host, f.port.value_or(fallback)};
}

TlsUse tls_use(const Fields& f) {
  if (f.starttls) return TlsUse::StartTls;
  return f.implicit_tls ? TlsUse::Implicit : TlsUse::None;
}

// Where `host` was an address or `hostip` is given, auth had nothing to resolve.
Status fill_addresses(ProxyRoute& route, const Fields& f, std::vector<IpAddress>&& resolved) {
  const auto literal = IpAddress::parse(route.host);
  if (literal && f.hostip && *literal != *f.hostip)
    return Error(fmt::format("host and hostip are different addresses: {} and {}", literal->text(), f.hostip->text()));
  if (f.hostip) route.addresses = {*f.hostip};
  else if (literal) route.addresses = {*literal};
  else route.addresses = std::move(resolved);
  return route.addresses.empty() ? Status(Error("host " + printable(route.host) + " has no address")) : Status();
}

Result<ProxyRoute> proxy_route(Fields&& f, AuthReply&& reply, const BackSide& back) {
  ProxyRoute route = std::move(f.route);
  if (f.host) route.host = *f.host;
  if (route.host.empty() && f.hostip) route.host = f.hostip->text();
  if (route.host.empty())
    return Error(f.host ? "Auth service returned invalid host value '': empty" : "host not given");
  route.authenticate = back.login == BackLogin::Always || (route.authenticate && back.login != BackLogin::Never);
  const auto mechanism = ClientMechanism::make(route.mechanism);
  const bool needs_password = !mechanism || mechanism->needs_password();
  if (!reply.password && route.authenticate && needs_password) return Error("password not given");
  if (const Status s = fill_addresses(route, f, std::move(reply.addresses)); !s) return Error(s.error());
  route.tls = tls_use(f);
  route.verify_certificate = !f.any_cert;
  route.port = f.port.value_or(route.tls == TlsUse::Implicit ? back.tls_port : back.port);
  if (route.port == 0) return Error("ssl without port: this protocol has no port of its own for TLS");  // GEN-11
  route.destuser = f.destuser ? std::move(*f.destuser) : reply.user;
  if (route.master.empty()) route.master = std::move(reply.master_user);  // FLD: who logged in as the user
  if (reply.password) route.password = std::move(*reply.password);
  for (const IpAddress& ip : route.addresses)
    if (route.source && route.source->family() != ip.family())
      return Error(
          fmt::format("source_ip {} and destination {} are of different families", route.source->text(), ip.text()));
  return route;
}

// Null, with field protocol, is one that we don't speak.
const DeliveryBackend* backend_for(const Fields& f, const DeliveryProtocol& protocol) {
  if (!f.protocol) return &protocol.backends.front();
  for (const DeliveryBackend& backend : protocol.backends)
    if (iequals(backend.name, *f.protocol)) return &backend;
  return nullptr;
}

}  // namespace

Result<Route> route_from(AuthReply&& reply, const Protocol& protocol, std::string_view mechanism) {
  Fields f;
  if (const Status s = read_fields(f, reply.extra); !s) return Error(s.error());
  if (f.proxy) {
    auto route = proxy_route(std::move(f), std::move(reply), protocol.back);
    return route ? Result<Route>(Route(std::move(*route))) : Error(route.error());
  }
  auto referral = referral_from(f, protocol.back, reply.user, mechanism);
  if (f.nologin) return Route(RefusedRoute{f.reason.value_or(""), std::move(referral)});
  if (!protocol.has_referral) referral.reset();
  return Route(LocalRoute{f.reason.value_or(""), std::move(referral)});
}

Result<RecipientRoute> recipient_route_from(AuthReply&& reply, const DeliveryProtocol& protocol, uint16_t own_port) {
  Fields f;
  if (const Status s = read_fields(f, reply.extra); !s) return Error(s.error());
  const DeliveryBackend* backend = backend_for(f, protocol);
  if (backend == nullptr)
    return Error(fmt::format("Auth service returned invalid protocol value '{}': unknown", printable(*f.protocol)));
  if (!f.proxy && f.nologin)
    return RecipientRoute(RefusedRoute{f.reason.value_or(""), referral_from(f, backend->side, reply.user, {})});
  if (!f.proxy) return RecipientRoute(LocalRoute{});
  if (!f.protocol && !f.port && own_port != 0) f.port = own_port;
  auto route = proxy_route(std::move(f), std::move(reply), backend->side);
  return route ? Result<RecipientRoute>(DeliveryRoute{backend, std::move(*route)}) : Error(route.error());
}

bool loops_to_itself(const ProxyRoute& route, const Endpoint& local, std::string_view user) {
  if (route.port != local.port || route.destuser != user) return false;
  for (const IpAddress& ip : route.addresses)
    if (ip == local.ip) return true;
  return false;
}

}  // namespace postern
