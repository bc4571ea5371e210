#include "auth/checks.h"

#include <algorithm>

#include "base/secret.h"
#include "base/text.h"

namespace postern {

namespace {

struct NetworkField {
  std::string_view name;
  bool real;
};
constexpr NetworkField kNetworkFields[] = {{"allow_nets", false}, {"allow_real_nets", true}};

Status check_networks(const NetworkField& field, std::string_view list, const IpAddress& ip,
                      std::vector<std::string>& notes) {
  std::vector<std::string> invalid;
  const bool allowed = is_in_networks(list, ip, invalid);
  const std::string name(field.name);
  for (const std::string& entry : invalid) notes.push_back(name + ": Invalid network '" + printable(entry) + "'");
  if (allowed) return {};
  if (ip.is_none()) return Error(name + " check failed: Remote IP not known and 'local' missing");
  return Error(name + " check failed: IP " + ip.text() + " not in allowed networks");
}

struct FingerprintField {
  std::string_view name;
  bool of_certificate, of_key;
};
constexpr FingerprintField kFingerprintFields[] = {
    {"check_client_fp", true, true}, {"check_client_cert_fp", true, false}, {"check_client_pubkey_fp", false, true}};

// Colons and case don't matter. Nothing is the fingerprint of no certificate.
bool is_fingerprint(std::string_view wanted, std::string_view found) {
  std::string digits = to_lower(wanted);
  std::erase(digits, ':');
  return !found.empty() && equal_constant_time(digits, found);
}

constexpr std::string_view kTlsFields[] = {"ssl", "starttls"};

}  // namespace

std::string_view surprise_in_tls(const FieldSet& fields) {
  size_t any_cert = 0, others = 0;
  for (const std::string_view name : kTlsFields) {
    const std::string* value = fields.find(name);
    if (value == nullptr) continue;
    if (iequals(*value, "no")) return "ssl=no or starttls=no still means TLS; remove the field for none";
    ++(*value == "any-cert" ? any_cert : others);
  }
  return any_cert > 0 && others > 0 ? "any-cert in one of ssl and starttls: no certificate is checked"
                                    : std::string_view();
}

bool is_in_networks(std::string_view list, const IpAddress& ip, std::vector<std::string>& invalid) {
  bool found = false;
  for (std::string_view word : split_words(list, ", \t")) {
    if (word == "local") {
      found |= ip.is_none();
      continue;
    }
    const auto network = Network::parse(word);
    if (!network) invalid.emplace_back(word);
    found |= network && network->contains(ip);
  }
  return found;
}

Result<uint64_t> parse_delay_until(std::string_view value, uint64_t now, uint64_t max_ahead,
                                   const std::function<uint64_t(uint64_t)>& random_below) {
  const size_t plus = value.find('+');
  const auto time = parse_number(value.substr(0, plus), UINT32_MAX * uint64_t{1000});
  if (!time) return Error("Invalid delay_until timestamp '" + printable(value) + "'");
  uint64_t spread = 0;
  if (plus != std::string_view::npos) {
    const auto n = parse_number(value.substr(plus + 1), UINT32_MAX);
    if (!n) return Error("Invalid delay_until randomness number '" + printable(value) + "'");
    spread = *n;
  }
  if (*time <= now) return uint64_t{0};
  if (*time - now > max_ahead)
    return Error("delay_until timestamp " + printable(value) + " is too much in the future, failing");
  return std::min(*time + (spread > 0 ? random_below(spread) : 0), now + max_ahead);
}

Status check_certificate_fields(const FieldSet& fields, std::string_view cert_fp, std::string_view key_fp) {
  for (const FingerprintField& field : kFingerprintFields) {
    const std::string* wanted = fields.find(field.name);
    if (wanted == nullptr) continue;
    const bool right =
        (field.of_certificate && is_fingerprint(*wanted, cert_fp)) || (field.of_key && is_fingerprint(*wanted, key_fp));
    if (!right)
      return Error(std::string(field.name) +
                   " check failed: the client's certificate is another one, or there is none");
  }
  return {};
}

Status check_fields(const FieldSet& fields, const IpAddress& remote, const IpAddress& real_remote,
                    std::vector<std::string>& notes) {
  for (const NetworkField& field : kNetworkFields)
    if (const std::string* list = fields.find(field.name)) {
      Status status = check_networks(field, *list, field.real ? real_remote : remote, notes);
      if (!status) return status;
    }
  if (fields.has("fail")) return Error("Field fail is set");
  return {};
}

}  // namespace postern
