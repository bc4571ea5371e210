#include "proto/smtp/envelope.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "proto/smtp/command.h"
#include "proto/smtp/xclient.h"
#include "proto/xclient.h"

namespace postern::smtp {

namespace {

bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_alnum(char c) { return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9'); }
// Dots in any place: there are mailboxes with them that no standard allows.
bool is_local_char(char c) {
  return is_high(c) || is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
}
bool is_domain_char(char c) { return is_high(c) || is_alnum(c) || c == '-' || c == '.' || c == '_'; }
bool is_quoted_char(char c) { return is_high(c) || (c >= ' ' && c < 0x7f); }

constexpr size_t kMaxPath = 900;  // a header line with it stays below RFC 5322's 998

template <class Is>
size_t span_of(std::string_view text, Is is) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is) - text.begin());
}

// Reads a path from the front of a text.
class PathReader {
 public:
  explicit PathReader(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // "@one,@two:" says how the message came here in another age; it is left out (RFC 5321 appendix C).
  bool skip_route() {
    if (rest_.empty() || rest_.front() != '@') return true;
    const size_t colon = rest_.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view route = rest_.substr(0, colon);
    rest_.remove_prefix(colon + 1);
    return std::all_of(route.begin(), route.end(), [](char c) { return is_domain_char(c) || c == '@' || c == ','; });
  }
  // Appends it without its quotes.
  bool take_local(std::string& out) {
    if (take('"')) return take_quoted(out);
    const size_t length = span_of(rest_, is_local_char);
    out = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return length > 0;
  }
  bool take_domain(std::string& out) {
    const bool literal = !rest_.empty() && rest_.front() == '[';
    const size_t bracket = rest_.find(']');
    if (literal && bracket == std::string_view::npos) return false;
    const size_t length = literal ? bracket + 1 : span_of(rest_, is_domain_char);
    out = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return literal ? is_domain(out) : length > 0;
  }

 private:
  bool take_quoted(std::string& out) {
    for (; !rest_.empty() && rest_.front() != '"'; rest_.remove_prefix(1)) {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (rest_.empty() || !is_quoted_char(rest_.front())) return false;
      out += rest_.front();
    }
    return take('"');
  }

  std::string_view rest_;
};

bool take_mailbox(PathReader& reader, bool needs_domain, Path& path) {
  if (!reader.take_local(path.local)) return false;
  if (!reader.take('@')) return !needs_domain;
  return reader.take_domain(path.domain);
}

ParsedPath wrong(std::string_view error) { return {{}, {}, error}; }

Refusal refuse(unsigned code, std::string_view enhanced, std::string text) { return {code, enhanced, std::move(text)}; }
Refusal unsupported() { return refuse(555, "5.5.4", "Unsupported parameters"); }
Refusal bad_value(std::string_view name) {
  return refuse(501, "5.5.4", "Invalid " + std::string(name) + "= parameter value");
}

bool is_value(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != '=' && c != 0x7f; });
}
bool is_xtext(std::string_view text) { return !text.empty() && xtext_decode(text).has_value(); }

// "FROM:" or "TO:" and a path.
Refusal take_path(std::string_view& parameters, std::string_view word, const EnvelopeRules& rules, bool needs_domain,
                  Path& out) {
  const std::string intro = std::string(word) + ":";
  if (!istarts_with(parameters, intro)) return refuse(501, "5.5.4", "Invalid parameters");
  parameters.remove_prefix(intro.size());
  if (rules.blank_before_path)
    parameters = parameters.substr(std::min(parameters.find_first_not_of(' '), parameters.size()));
  ParsedPath parsed = parse_path(parameters, {rules.bare_path, needs_domain, rules.utf8});
  if (!parsed.error.empty())
    return refuse(501, "5.5.4", "Invalid " + std::string(word) + ": " + std::string(parsed.error));
  parameters = parsed.rest;
  out = std::move(parsed.path);
  return {};
}

// One parameter of a command: how its value is taken into `T`.
template <class T>
struct ParameterRow {
  std::string_view name;
  bool (*offered)(const EnvelopeRules& rules);
  Refusal (*take)(std::string_view value, const EnvelopeRules& rules, T& out);
};

template <class T, size_t N>
Refusal take_parameters(std::string_view parameters, const ParameterRow<T> (&rows)[N], const EnvelopeRules& rules,
                        T& out) {
  for (std::string_view word : split_words(parameters, " ")) {
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals), value = word.substr(std::min(equals + 1, word.size()));
    if (equals < word.size() && !is_value(value) && !iequals(name, "XRCPTFORWARD"))
      return refuse(501, "5.5.4", "Invalid parameters");
    const auto row =
        std::find_if(std::begin(rows), std::end(rows), [name](const auto& r) { return iequals(r.name, name); });
    if (row == std::end(rows) || !row->offered(rules)) return unsupported();
    if (Refusal refusal = row->take(value, rules, out)) return refusal;
  }
  return {};
}

bool always_offered(const EnvelopeRules&) { return true; }
bool dsn_offered(const EnvelopeRules& rules) { return rules.dsn; }

Refusal take_body(std::string_view value, const EnvelopeRules&, Envelope& out) {
  if (!iequals(value, "7BIT") && !iequals(value, "8BITMIME")) return unsupported();
  out.body = to_upper(value);
  return {};
}

Refusal take_size(std::string_view value, const EnvelopeRules& rules, Envelope& out) {
  out.size = parse_number(value, INT64_MAX);
  if (!out.size) return bad_value("SIZE");
  if (*out.size > rules.max_size) return refuse(552, "5.2.3", "Message size exceeds administrative limit");
  return {};
}

Refusal take_utf8(std::string_view value, const EnvelopeRules&, Envelope& out) {
  out.utf8 = true;
  return value.empty() ? Refusal{} : bad_value("SMTPUTF8");
}

Refusal take_ret(std::string_view value, const EnvelopeRules&, Envelope& out) {
  if (!iequals(value, "FULL") && !iequals(value, "HDRS")) return bad_value("RET");
  out.ret = to_upper(value);
  return {};
}

Refusal take_envid(std::string_view value, const EnvelopeRules&, Envelope& out) {
  if (!is_xtext(value) || value.size() > 100) return bad_value("ENVID");  // RFC 3461 section 4.4
  out.envid = value;
  return {};
}

constexpr ParameterRow<Envelope> kMail[] = {
    {"BODY", [](const EnvelopeRules& rules) { return rules.eight_bit; }, take_body},
    {"SIZE", [](const EnvelopeRules& rules) { return rules.max_size > 0; }, take_size},
    {"SMTPUTF8", [](const EnvelopeRules& rules) { return rules.utf8; }, take_utf8},
    {"RET", dsn_offered, take_ret},
    {"ENVID", dsn_offered, take_envid},
};

// "rfc822;xtext" (RFC 3461 section 4.2); Postfix' "utf-8;" may hold what xtext may not.
Refusal take_orcpt(std::string_view value, const EnvelopeRules&, Recipient& out) {
  const size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0 || semicolon + 1 == value.size()) return bad_value("ORCPT");
  out.orcpt = value;
  return {};
}

bool is_notify_word(std::string_view word) {
  return iequals(word, "SUCCESS") || iequals(word, "FAILURE") || iequals(word, "DELAY");
}

Refusal take_notify(std::string_view value, const EnvelopeRules&, Recipient& out) {
  const auto words = split_fields(value, ',');
  const bool valid = iequals(value, "NEVER") || std::all_of(words.begin(), words.end(), is_notify_word);
  if (!valid) return bad_value("NOTIFY");
  out.notify = to_upper(value);
  return {};
}

// LMTP-12.
Refusal take_forward(std::string_view value, const EnvelopeRules& rules, Recipient& out) {
  if (!rules.trusted) return refuse(550, "5.7.14", "Unacceptable XRCPTFORWARD= parameter: You are not from trusted IP");
  auto fields = parse_forward_value(value);
  if (!fields) return refuse(501, "5.5.4", "Invalid XRCPTFORWARD= parameter: Invalid encoding");
  out.forward = std::move(*fields);
  return {};
}

constexpr ParameterRow<Recipient> kRcpt[] = {
    {"ORCPT", always_offered, take_orcpt},
    {"NOTIFY", dsn_offered, take_notify},
    {"XRCPTFORWARD", always_offered, take_forward},
};

Refusal needs_utf8() { return refuse(553, "5.6.7", "This address needs SMTPUTF8"); }  // RFC 6531 section 3.5

// The user and, delimiter included, the detail (LMTP-4).
void split_detail(const Path& path, std::string_view delimiters, Recipient& out) {
  const size_t at = std::min(path.local.find_first_of(delimiters), path.local.size());
  out.user = path.local.substr(0, at);
  if (!path.domain.empty()) (out.user += '@') += path.domain;
  out.detail = path.local.substr(at);
}

std::string quoted_if_needed(std::string_view local) {
  if (!local.empty() && span_of(local, is_local_char) == local.size()) return std::string(local);
  std::string out = "\"";
  for (char c : local) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::optional<ForwardFields> fields_of(std::string_view list) {
  ForwardFields out;
  for (std::string_view item : split_fields(list, '\t'))
    if (!take_forward_item(item, out)) return std::nullopt;
  return out;
}

bool is_field_list(std::string_view text) {
  const size_t name = span_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '-'; });
  return name > 0 && name < text.size() && text[name] == '=';
}

}  // namespace

ParsedPath parse_path(std::string_view text, PathRules rules) {
  PathReader reader(text);
  const bool bare = !reader.take('<');
  if (bare && !rules.bare) return wrong("Missing '<' before path");
  ParsedPath out;
  if (bare || !reader.take('>')) {
    if (!reader.skip_route()) return wrong("Invalid source route");
    const std::string_view mailbox = reader.rest();
    if (!take_mailbox(reader, rules.needs_domain, out.path)) return wrong("Invalid address");
    out.path.text = mailbox.substr(0, mailbox.size() - reader.rest().size());
    if (!bare && !reader.take('>')) return wrong("Missing '>' behind path");
  }
  if (out.path.text.size() > kMaxPath) return wrong("Too long address");
  out.rest = reader.rest();
  if (!out.rest.empty() && out.rest.front() != ' ') return wrong("Unexpected character behind path");
  out.path.is_ascii = std::none_of(out.path.text.begin(), out.path.text.end(), is_high);
  if (!out.path.is_ascii && (!rules.utf8 || !is_utf8(out.path.text))) return wrong("Invalid character in address");
  return out;
}

bool is_mailbox(std::string_view text) {
  PathReader reader(text);
  Path path;
  return is_text(text) && take_mailbox(reader, false, path) && reader.rest().empty();
}

Refusal parse_mail(std::string_view parameters, const EnvelopeRules& rules, Envelope& out) {
  Path path;
  if (Refusal refusal = take_path(parameters, "FROM", rules, false, path)) return refusal;
  out.sender = std::move(path.text);
  if (Refusal refusal = take_parameters(parameters, kMail, rules, out)) return refusal;
  return path.is_ascii || out.utf8 ? Refusal{} : needs_utf8();
}

Refusal parse_rcpt(std::string_view parameters, const EnvelopeRules& rules, const Envelope& envelope, Recipient& out) {
  Path path;
  if (Refusal refusal = take_path(parameters, "TO", rules, false, path)) return refusal;
  if (path.text.empty()) return refuse(501, "5.5.4", "Invalid TO: Empty path");
  if (path.local.empty() && path.domain.empty())
    return refuse(550, "5.1.1", "<" + path.text + "> Unacceptable TO: Empty path not allowed");  // LMTP-11
  split_detail(path, rules.delimiters, out);
  out.address = std::move(path.text);
  if (Refusal refusal = take_parameters(parameters, kRcpt, rules, out)) return refusal;
  return path.is_ascii || envelope.utf8 ? Refusal{} : needs_utf8();
}

std::optional<std::string> address_for(std::string_view user, const Recipient& of) {
  const size_t at = std::min(user.rfind('@'), user.size());
  if (at == 0) return std::nullopt;
  std::string out = quoted_if_needed(std::string(user.substr(0, at)) + of.detail);
  out += user.substr(at);
  return is_mailbox(out) ? std::optional(std::move(out)) : std::nullopt;
}

std::string forward_value(const ForwardFields& fields) { return xtext_encode(forward_list(fields)); }

std::optional<ForwardFields> parse_forward_value(std::string_view text) {
  const auto list = xtext_decode(text);
  if (!list) return std::nullopt;
  const auto inner = base64_decode(*list);
  return fields_of(inner && is_field_list(*inner) ? *inner : *list);
}

}  // namespace postern::smtp
