#include "proto/smtp/xclient.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "proto/smtp/command.h"
#include "proto/xclient.h"

namespace postern::smtp {

namespace {

constexpr std::string_view kUnavailable = "[UNAVAILABLE]";
constexpr std::string_view kIpv6 = "IPV6:";
constexpr size_t kMaxCommand = 510;  // CRLF makes it 512 (RFC-6)

// --- xtext -----------------------------------------------------------------------

constexpr std::string_view kHex = "0123456789ABCDEF";

bool is_xchar(char c) { return c > ' ' && c < 0x7f && c != '+' && c != '='; }

std::optional<char> hex_byte(std::string_view digits) {
  if (digits.size() < 2) return std::nullopt;
  const size_t high = kHex.find(ascii_upper(digits[0])), low = kHex.find(ascii_upper(digits[1]));
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// --- reading ---------------------------------------------------------------------

// What one attribute's value does; false when it is not valid.
using Take = bool (*)(std::string_view name, std::string_view value, ParsedXclient& out);

bool take_common(std::string_view name, std::string_view value, ParsedXclient& out) {
  return take_xclient_value(name, value, out.facts);
}

bool take_address(std::string_view name, std::string_view value, ParsedXclient& out) {
  const bool marked = istarts_with(value, kIpv6);
  if (marked) value.remove_prefix(kIpv6.size());
  return (!marked || value.find(':') != std::string_view::npos) && take_common(name, value, out);
}

bool take_helo(std::string_view, std::string_view v, ParsedXclient& out) {
  if (!is_domain(v)) return false;
  set_fact(out.own, "HELO", v);
  return true;
}

bool take_proto(std::string_view, std::string_view v, ParsedXclient& out) {
  static constexpr std::string_view kKnown[] = {"SMTP", "ESMTP", "LMTP"};
  const bool known =
      std::any_of(std::begin(kKnown), std::end(kKnown), [v](std::string_view k) { return iequals(k, v); });
  if (known) set_fact(out.own, "PROTO", to_upper(v));
  return known;
}

// Remembered for the next host only: it logs nobody in (SEC-12).
bool take_login(std::string_view, std::string_view v, ParsedXclient& out) {
  if (has_control(v) || v.size() > 255) return false;
  if (!v.empty()) set_fact(out.own, "LOGIN", v);
  return true;
}

bool take_timeout(std::string_view, std::string_view v, ParsedXclient& out) {
  const auto seconds = parse_number(v, UINT32_MAX);
  if (seconds) set_fact(out.own, "TIMEOUT", std::to_string(*seconds));
  return seconds.has_value();
}

bool take_transport(std::string_view, std::string_view v, ParsedXclient& out) {
  if (!v.empty()) set_fact(out.own, "CLIENT-TRANSPORT", v.starts_with("TLS") ? "TLS" : "insecure");
  return !v.empty();
}

struct InRow {
  std::string_view name;
  Take take;
  bool may_be_unavailable = true;
};
constexpr InRow kIn[] = {
    {"ADDR", take_address},
    {"DESTADDR", take_address},
    {"PORT", take_common},
    {"DESTPORT", take_common},
    {"HELO", take_helo},
    {"PROTO", take_proto, false},
    {"LOGIN", take_login},
    {"SESSION", take_common},
    {"TTL", take_common, false},
    {"TIMEOUT", take_timeout, false},
    {"FORWARD", take_common},
    {"DESTNAME", take_common},
    {"CLIENT-TRANSPORT", take_transport},
};

bool is_keyword(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// What is wrong with the attribute, or nothing.
std::string take_attribute(std::string_view word, ParsedXclient& out) {
  const size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(0, equals);
  if (!is_keyword(name)) return "Invalid parameter: Unexpected character in keyword";
  const auto value = xtext_decode(word.substr(std::min(equals + 1, word.size())));
  const std::string invalid = "Invalid " + to_upper(name) + " parameter";
  if (!value) return invalid + ": Invalid xtext";
  for (const InRow& row : kIn) {
    if (!iequals(row.name, name)) continue;
    if (row.may_be_unavailable && iequals(*value, kUnavailable)) return {};
    return row.take(name, *value, out) ? std::string() : invalid;
  }
  return {};
}

// --- writing (SUB-39, LMTP-27) -----------------------------------------------------

// 0: a client at a socket in the file system.
std::string port_text(uint16_t port) { return port == 0 ? std::string() : std::to_string(port); }

struct Told {
  const ForwardFacts& facts;
  const ProtocolFacts& own;
  XclientForm form;

  std::string own_fact(std::string_view name) const { return std::string(find_fact(own, name)); }
  std::string address(const IpAddress& ip) const {
    const bool marked = form != XclientForm::Lmtp && ip.family() == IpAddress::Family::V6;
    return (marked ? std::string(kIpv6) : std::string()) + ip.text();
  }
};

std::string helo_value(const Told& t) {
  const std::string helo = t.own_fact("HELO");
  return helo.empty() && t.form == XclientForm::Submission ? std::string(kUnavailable) : helo;
}

// An empty value is not told.
struct OutRow {
  std::string_view name;
  std::string (*value)(const Told& told);
};
constexpr OutRow kOut[] = {
    {"HELO", helo_value},
    {"PROTO", [](const Told& t) { return t.own_fact("PROTO"); }},
    {"LOGIN", [](const Told& t) { return t.own_fact("LOGIN"); }},
    {"TTL", [](const Told& t) { return std::to_string(t.facts.ttl); }},
    {"TIMEOUT", [](const Told& t) { return t.own_fact("TIMEOUT"); }},
    {"PORT", [](const Told& t) { return port_text(t.facts.remote.port); }},
    {"ADDR", [](const Told& t) { return t.address(t.facts.remote.ip); }},
    {"DESTPORT", [](const Told& t) { return port_text(t.facts.local.port); }},
    {"DESTADDR", [](const Told& t) { return t.address(t.facts.local.ip); }},
    {"SESSION", [](const Told& t) { return t.facts.session; }},
    {"CLIENT-TRANSPORT", [](const Told& t) { return t.own_fact("CLIENT-TRANSPORT"); }},
    {"DESTNAME", [](const Told& t) { return is_dns_name(t.facts.local_name) ? t.facts.local_name : std::string(); }},
    {"FORWARD", [](const Told& t) { return t.facts.forward.empty() ? std::string() : xclient_forward(t.facts); }},
};

// The order in which they are told, as places in kOut.
constexpr uint8_t kSubmissionOrder[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr uint8_t kDeliveryOrder[] = {0, 1, 2, 9, 10, 11, 3, 4, 5, 6, 7, 8};

std::span<const uint8_t> order_of(XclientForm form) {
  if (form == XclientForm::Submission) return kSubmissionOrder;
  return kDeliveryOrder;
}

}  // namespace

std::string xtext_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_xchar(c)) out += c;
    else ((out += '+') += kHex[byte >> 4]) += kHex[byte & 15];
  }
  return out;
}

std::optional<std::string> xtext_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_xchar(text[i])) {
      out += text[i];
      continue;
    }
    const auto byte = text[i] == '+' ? hex_byte(text.substr(i + 1)) : std::nullopt;
    if (!byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

ParsedXclient parse_xclient(std::string_view parameters) {
  ParsedXclient out;
  for (std::string_view word : split_words(parameters)) {
    out.error = take_attribute(word, out);
    if (!out.error.empty()) return out;
  }
  return out;
}

uint32_t offered_attributes(std::string_view names) {
  uint32_t bits = 0;
  for (std::string_view name : split_words(names))
    for (size_t i = 0; i < std::size(kOut); ++i)
      if (iequals(kOut[i].name, name)) bits |= uint32_t{1} << i;
  return bits;
}

XclientCommands format_xclient(XclientForm form, const ForwardFacts& facts, const ProtocolFacts& own,
                               uint32_t offered) {
  const Told told{facts, own, form};
  XclientCommands out;
  std::string command;
  const auto finish = [&] {
    if (command.empty()) return;
    (out.text += command) += "\r\n";
    ++out.count;
    command.clear();
  };
  for (const uint8_t i : order_of(form)) {
    const std::string value = (offered >> i & 1) != 0 ? kOut[i].value(told) : std::string();
    if (value.empty()) continue;
    const std::string attribute = " " + std::string(kOut[i].name) + "=" + xtext_encode(value);
    if (command.size() + attribute.size() > kMaxCommand) finish();
    if (command.empty()) command = "XCLIENT";
    command += attribute;
  }
  finish();
  return out;
}

}  // namespace postern::smtp
