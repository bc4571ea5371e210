#include "support/dialogue_subject.h"

#include <set>

namespace postern::test {

std::string describe(const ForwardedFacts& facts) {
  std::string out = "forwarded";
  const auto add = [&out](std::string_view name, const auto& value, const auto& show) {
    if (value) out += " " + std::string(name) + "=" + show(*value);
  };
  const auto ip = [](const IpAddress& v) { return v.text(); };
  const auto number = [](uint32_t v) { return std::to_string(v); };
  const auto text = [](const std::string& v) { return v; };
  add("remote_ip", facts.remote_ip, ip);
  add("remote_port", facts.remote_port, number);
  add("local_ip", facts.local_ip, ip);
  add("local_port", facts.local_port, number);
  add("ttl", facts.ttl, number);
  add("session", facts.session, text);
  add("local_name", facts.local_name, text);
  for (const auto& [name, value] : facts.forward) out += " forward." + name + "=" + value;
  if (!facts.client_id.empty()) out += " client_id=" + facts.client_id;
  return out;
}

std::string describe(const ProtocolFacts& facts) {
  std::string out;
  for (const auto& [name, value] : facts) out += (out.empty() ? "" : " ") + name + "=" + value;
  return out;
}

std::optional<Parting> parting_named(std::string_view word) {
  static constexpr std::pair<std::string_view, Parting> kPartings[] = {{"goodbye", Parting::Idle},
                                                                       {"shutdown", Parting::ShuttingDown},
                                                                       {"crowded", Parting::Crowded},
                                                                       {"unavailable", Parting::Unavailable}};
  for (const auto& [name, parting] : kPartings)
    if (name == word) return parting;
  return std::nullopt;
}

ConnectionFacts facts_from(std::string_view text) {
  const auto words = split_words(text);
  const std::set<std::string_view> on(words.begin(), words.end());
  return {on.contains("tls_available"), on.contains("tls_active"), on.contains("secured"), on.contains("trusted")};
}

}  // namespace postern::test
