#include "proto/imap/id.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "proto/imap/strings.h"

namespace postern::imap {

namespace {

constexpr size_t kMaxKey = 30;     // RFC 2971 section 3.3
constexpr size_t kMaxLogged = 80;  // IMAP-57
constexpr std::string_view kForward = "x-forward-";

bool is_nil(const Scanner& scanner, size_t i) {
  return scanner.kind(i) == ArgumentKind::Atom && iequals(scanner.argument(i), "NIL");
}
// RFC 2971 section 3.1: names and values are strings.
bool is_nstring(const Scanner& scanner, size_t i) {
  return scanner.kind(i) == ArgumentKind::String || is_nil(scanner, i);
}

std::optional<std::string_view> text_or_nil(const Scanner& scanner, size_t i) {
  if (is_nil(scanner, i)) return std::nullopt;
  return scanner.argument(i);
}

bool is_nil_command(const Scanner& scanner) { return scanner.argument_count() == 1 && is_nil(scanner, 0); }

bool is_list_command(const Scanner& scanner) {
  const size_t count = scanner.argument_count();
  if (count < 2 || scanner.kind(0) != ArgumentKind::ListOpen || scanner.kind(count - 1) != ArgumentKind::ListClose)
    return false;
  for (size_t i = 1; i + 1 < count; ++i)
    if (!is_nstring(scanner, i)) return false;
  return true;
}

// --- keys that a trusted peer may set -----------------------------------------

using Setter = bool (*)(std::string_view value, ForwardedFacts& facts);

template <std::optional<IpAddress> ForwardedFacts::*Member>
bool set_ip(std::string_view value, ForwardedFacts& facts) {
  const auto ip = IpAddress::parse(value);
  if (ip) facts.*Member = *ip;
  return ip.has_value();
}

template <std::optional<uint16_t> ForwardedFacts::*Member>
bool set_port(std::string_view value, ForwardedFacts& facts) {
  const auto port = parse_number(value, UINT16_MAX);
  if (port) facts.*Member = static_cast<uint16_t>(*port);
  return port.has_value();
}

bool set_ttl(std::string_view value, ForwardedFacts& facts) {
  const auto ttl = parse_number(value, UINT32_MAX);
  if (ttl) facts.ttl = static_cast<uint32_t>(*ttl);
  return ttl.has_value();
}

bool set_session(std::string_view value, ForwardedFacts& facts) {
  if (!is_session_id(value)) return false;
  facts.session = std::string(value);
  return true;
}

// Said by 2.4's proxies; nothing of ours uses it.
bool set_nothing(std::string_view, ForwardedFacts&) { return false; }

struct InternalKey {
  std::string_view name;
  Setter set;
};
constexpr std::array<InternalKey, 10> kInternalKeys{{
    {"x-originating-ip", set_ip<&ForwardedFacts::remote_ip>},
    {"x-originating-port", set_port<&ForwardedFacts::remote_port>},
    {"x-connected-ip", set_ip<&ForwardedFacts::local_ip>},
    {"x-connected-port", set_port<&ForwardedFacts::local_port>},
    {"x-connected-name", set_nothing},
    {"x-proxy-ttl", set_ttl},
    {"x-session-id", set_session},
    {"x-session-ext-id", set_session},
    {"x-client-transport", set_nothing},
    {"x-multiplex", set_nothing},
}};

const InternalKey* internal_key(std::string_view name) {
  const auto found = std::find_if(kInternalKeys.begin(), kInternalKeys.end(),
                                  [&](const InternalKey& key) { return iequals(key.name, name); });
  return found == kInternalKeys.end() ? nullptr : &*found;
}

bool is_forward(std::string_view key) { return istarts_with(key, kForward); }
bool is_internal(std::string_view key) { return is_forward(key) || internal_key(key) != nullptr; }

bool set_forward(std::string_view key, std::string_view value, ForwardedFacts& facts) {
  const std::string_view name = key.substr(kForward.size());
  if (name.empty() || value.find('\0') != std::string_view::npos) return false;
  facts.forward.emplace_back(name, value);
  return true;
}

bool apply(const IdPair& pair, ForwardedFacts& facts) {
  if (!pair.value) return false;  // IMAP-54
  if (is_forward(pair.key)) return set_forward(pair.key, *pair.value, facts);
  const InternalKey* key = internal_key(pair.key);
  return key != nullptr && key->set(*pair.value, facts);
}

// --- the list we keep for our own ID (IMAP-56) ---------------------------------

void retain_pair(const IdPair& pair, size_t limit, std::string& kept) {
  std::string more = kept.empty() ? "" : " ";
  append_quoted(more, pair.key);
  more += ' ';
  if (pair.value) append_quoted(more, *pair.value);
  else more += "NIL";
  if (kept.size() + more.size() <= limit) kept += more;
}

// --- our reply -------------------------------------------------------------------

struct Builtin {
  std::string_view key;
  std::string FrontSettings::*value;
};
constexpr std::array<Builtin, 4> kBuiltins{{{"name", &FrontSettings::product},
                                            {"version", &FrontSettings::version},
                                            {"os", &FrontSettings::os},
                                            {"os-version", &FrontSettings::os_version}}};

std::string_view builtin(const FrontSettings& settings, std::string_view key) {
  for (const Builtin& row : kBuiltins)
    if (iequals(row.key, key)) return settings.*row.value;
  return {};
}

void append_reply_pair(std::string& out, const FrontSettings& settings, std::string_view key, std::string_view given) {
  const std::string_view value = given == "*" ? builtin(settings, key) : given;
  if (out.size() > 1) out += ' ';
  append_quoted(out, key);
  out += ' ';
  if (value.empty()) out += "NIL";
  else append_quoted(out, value);
}

}  // namespace

std::optional<std::vector<IdPair>> read_id(const Scanner& scanner, unsigned max_pairs) {
  std::vector<IdPair> pairs;
  if (is_nil_command(scanner)) return pairs;
  if (!is_list_command(scanner)) return std::nullopt;
  const size_t end = scanner.argument_count() - 1;
  if ((end - 1) / 2 > max_pairs) return std::nullopt;
  pairs.reserve(end / 2);
  for (size_t i = 1; i < end; i += 2) {
    const auto key = text_or_nil(scanner, i);
    if (!key || key->size() > kMaxKey) return std::nullopt;
    if (i + 1 < end) pairs.push_back({*key, text_or_nil(scanner, i + 1)});
  }
  return pairs;
}

std::string id_reply(const FrontSettings& settings) {
  const auto words = split_words(settings.id_send);
  if (words.size() < 2) return "NIL";
  std::string out = "(";
  for (size_t i = 0; i + 1 < words.size(); i += 2) append_reply_pair(out, settings, words[i], words[i + 1]);
  return out + ")";
}

std::optional<std::string> id_log_text(const std::vector<IdPair>& pairs, std::string_view wanted) {
  const bool all = trim(wanted) == "*";
  const auto names = split_words(wanted);
  std::string text;
  for (const IdPair& pair : pairs) {
    const auto asked = [&](std::string_view name) { return iequals(name, pair.key); };
    if (!all && std::none_of(names.begin(), names.end(), asked)) continue;
    if (!text.empty()) text += ", ";
    text += printable(pair.key, kMaxLogged) + "=" + (pair.value ? printable(*pair.value, kMaxLogged) : "NIL");
  }
  if (text.empty() && !all) return std::nullopt;
  return text;
}

IdFacts id_facts(const std::vector<IdPair>& pairs, bool trusted, size_t retain) {
  IdFacts out;
  for (const IdPair& pair : pairs) {
    if (is_internal(pair.key)) {
      if (trusted && apply(pair, out.facts)) out.anything = true;
    } else if (retain > 0) {
      retain_pair(pair, retain, out.facts.client_id);
    }
  }
  if (!out.facts.client_id.empty()) out.anything = true;
  return out;
}

}  // namespace postern::imap
