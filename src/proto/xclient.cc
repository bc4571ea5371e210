#include "proto/xclient.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace postern {

namespace {

bool take_ip(std::string_view value, std::optional<IpAddress>& out) {
  const auto ip = IpAddress::parse(value);
  if (ip) out = *ip;
  return ip.has_value();
}

bool take_port(std::string_view value, std::optional<uint16_t>& out) {
  const auto port = parse_number(value, 65535);
  if (!port || *port == 0) return false;
  out = static_cast<uint16_t>(*port);
  return true;
}

bool take_addr(std::string_view value, ForwardedFacts& facts) { return take_ip(value, facts.remote_ip); }
bool take_remote_port(std::string_view value, ForwardedFacts& facts) { return take_port(value, facts.remote_port); }
bool take_destaddr(std::string_view value, ForwardedFacts& facts) { return take_ip(value, facts.local_ip); }
bool take_destport(std::string_view value, ForwardedFacts& facts) { return take_port(value, facts.local_port); }

bool take_ttl(std::string_view value, ForwardedFacts& facts) {
  const auto ttl = parse_number(value, UINT32_MAX);
  if (ttl) facts.ttl = static_cast<uint32_t>(*ttl);
  return ttl.has_value();
}

// An id that would break a log line is no reason to refuse the client: we go on with our own.
bool take_session(std::string_view value, ForwardedFacts& facts) {
  if (is_session_id(value)) facts.session = std::string(value);
  return true;
}

bool take_forward(std::string_view value, ForwardedFacts& facts) {
  const auto decoded = base64_decode(value);
  if (!decoded) return false;
  bool valid = true;
  for (std::string_view item : split_fields(*decoded, '\t')) valid = take_forward_item(item, facts.forward) && valid;
  return valid;
}

bool take_destname(std::string_view value, ForwardedFacts& facts) {
  if (!is_dns_name(value)) return false;
  facts.local_name = to_lower(value);
  return true;
}
// Nothing of ours depends on it; a value that cannot be is still refused.
bool check_transport(std::string_view value, ForwardedFacts&) { return !value.empty(); }

struct Row {
  std::string_view name;
  bool (*take)(std::string_view value, ForwardedFacts& facts);
};

constexpr Row kRows[] = {
    {"ADDR", take_addr},         {"PORT", take_remote_port},  {"SESSION", take_session},
    {"TTL", take_ttl},           {"FORWARD", take_forward},   {"DESTADDR", take_destaddr},
    {"DESTPORT", take_destport}, {"DESTNAME", take_destname}, {"CLIENT-TRANSPORT", check_transport},
};

}  // namespace

bool is_dns_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool take_xclient_value(std::string_view name, std::string_view value, ForwardedFacts& facts) {
  for (const Row& row : kRows)
    if (iequals(row.name, name)) return row.take(value, facts);
  return true;
}

Xclient parse_xclient(std::string_view arguments) {
  Xclient out;
  for (std::string_view word : split_words(arguments, " ")) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    out.valid = take_xclient_value(word.substr(0, equals), word.substr(equals + 1), out.facts) && out.valid;
  }
  return out;
}

std::string forward_list(const ForwardFields& fields) {
  std::string list;
  for (const auto& [name, value] : fields) {
    if (!list.empty()) list += '\t';
    list += tab_escape(name + "=" + value);
  }
  return list;
}

// Every item is a forward_ field, with or without "=": none may become a field of another name.
bool take_forward_item(std::string_view item, ForwardFields& out) {
  const auto plain = tab_unescape(item);
  if (!plain || plain->find('\0') != std::string::npos) return false;
  const size_t equals = std::min(plain->find('='), plain->size());
  if (equals == 0) return false;
  out.emplace_back(plain->substr(0, equals), plain->substr(std::min(equals + 1, plain->size())));
  return true;
}

std::string xclient_forward(const ForwardFacts& facts) { return base64_encode(forward_list(facts.forward)); }

XclientLine format_xclient(const ForwardFacts& facts) {
  XclientLine line;
  line.text = "XCLIENT";
  // A client at a socket in the file system has none, and an empty one would be refused.
  if (!facts.remote.ip.is_none())
    line.text += " ADDR=" + facts.remote.ip.text() + " PORT=" + std::to_string(facts.remote.port);
  line.text += " SESSION=" + facts.session + " TTL=" + std::to_string(facts.ttl);
  if (facts.forward.empty()) return line;
  const std::string forward = " FORWARD=" + xclient_forward(facts);
  line.complete = line.text.size() + forward.size() <= kMaxXclientLine;
  if (line.complete) line.text += forward;
  return line;
}

}  // namespace postern
