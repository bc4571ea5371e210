#include "login/protocols.h"

#include <algorithm>

#include "base/text.h"
#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"
#include "proto/sieve/protocol.h"
#include "proto/smtp/lmtp.h"
#include "proto/smtp/submission.h"

namespace postern {

namespace {

void imap_settings(const Settings& s, FrontSettings& front) {
  front.capability = s.text(Key::imap_capability);
  front.literal_minus = s.flag(Key::imap_literal_minus);
  front.id_send = s.text(Key::imap_id_send);
  front.id_log = s.text(Key::imap_id_log);
  front.id_retain = s.flag(Key::imap_id_retain);
  front.max_id_pairs = static_cast<unsigned>(s.number(Key::imap_id_max_pairs));
  front.max_tag = static_cast<size_t>(s.number(Key::imap_max_tag));
  front.max_retained = static_cast<size_t>(s.number(Key::imap_id_retain_size));
}

void pop3_settings(const Settings& s, FrontSettings& front) { front.capability = s.text(Key::pop3_capability); }

void sieve_settings(const Settings& s, FrontSettings& front) {
  front.sieve.implementation = s.text(Key::managesieve_implementation_string);
  front.sieve.extensions = s.text(Key::managesieve_sieve_capability);
  front.sieve.notify = s.text(Key::managesieve_notify_capability);
  front.sieve.extlists = s.text(Key::managesieve_extlists_capability);
}

constexpr size_t kSmtpSaslLine = 12288;  // RFC 4954 section 4

void submission_settings(const Settings& s, FrontSettings& front) {
  for (const std::string& word : s.list(Key::submission_backend_capabilities))
    front.extensions.push_back(to_upper(word));
  front.max_mail_size = static_cast<uint64_t>(s.number(Key::submission_max_mail_size));
  front.max_bad_commands = static_cast<unsigned>(s.number(Key::submission_max_bad_commands));
  front.max_sasl = std::max(front.max_sasl, kSmtpSaslLine);
}

bool has_word(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void lmtp_settings(const Settings& s, FrontSettings& front) {
  for (const std::string& word : s.list(Key::lmtp_backend_capabilities)) front.extensions.push_back(to_upper(word));
  front.max_line = static_cast<size_t>(s.number(Key::lmtp_max_line));
  front.max_mail_size = static_cast<uint64_t>(s.number(Key::lmtp_max_mail_size));
  front.max_bad_commands = static_cast<unsigned>(s.number(Key::lmtp_max_bad_commands));
  FrontSettings::Delivery& d = front.delivery;
  d.recipient_delimiter = s.text(Key::recipient_delimiter);
  d.max_recipients = static_cast<unsigned>(s.number(Key::lmtp_max_recipients));
  d.max_waiting = static_cast<unsigned>(s.number(Key::lmtp_max_pipelined));
  d.whitespace_before_path = has_word(s.list(Key::lmtp_client_workarounds), "whitespace-before-path");
  d.mailbox_for_path = has_word(s.list(Key::lmtp_client_workarounds), "mailbox-for-path");
  d.add_received = s.flag(Key::lmtp_add_received_header);
  d.address_header = s.text(Key::lmtp_hdr_delivery_address);
  d.verbose_replies = s.flag(Key::lmtp_verbose_replies);
}

DeliveryOptions lmtp_options(const Settings& s, const ProxyOptions& proxy) {
  DeliveryOptions options;
  options.proxy = proxy;
  options.proxy.timeout = s.time(Key::lmtp_proxy_connect_timeout);
  options.proxy.max_reconnects = 0;  // who sends the mail tries again himself, and not within seconds
  options.command_timeout = s.time(Key::lmtp_proxy_command_timeout);
  options.data_timeout = s.time(Key::lmtp_proxy_data_timeout);
  options.idle_timeout = s.time(Key::lmtp_idle_timeout);
  options.spool_memory = static_cast<uint64_t>(s.number(Key::lmtp_spool_memory));
  options.proxies = s.flag(Key::lmtp_proxy);
  options.user_concurrency = static_cast<uint32_t>(s.number(Key::lmtp_user_concurrency_limit));
  return options;
}

RelayHost submission_relay(const Settings& s) {
  const std::string& ssl = s.text(Key::submission_relay_ssl);
  RelayHost relay;
  relay.host = s.text(Key::submission_relay_host);
  relay.port = static_cast<uint16_t>(s.number(Key::submission_relay_port));
  relay.tls = ssl == "smtps" ? TlsUse::Implicit : ssl == "starttls" ? TlsUse::StartTls : TlsUse::None;
  relay.verify_certificate = s.flag(Key::submission_relay_ssl_verify);
  relay.trusted = s.flag(Key::submission_relay_trusted);
  relay.user = s.text(Key::submission_relay_user);
  relay.password = SecretString(s.text(Key::submission_relay_password));
  return relay;
}

const ServedProtocol kServed[] = {
    {&imap::kImap, nullptr, imap_settings},
    {&kPop3, nullptr, pop3_settings},
    {&sieve::kSieve, nullptr, sieve_settings},
    {&kSubmission, nullptr, submission_settings, submission_relay, "submission_relay_host"},
    {nullptr, &kLmtp, lmtp_settings, nullptr, "", lmtp_options},
};

}  // namespace

const ServedProtocol* find_served_protocol(std::string_view service) {
  for (const ServedProtocol& s : kServed)
    if (s.service() == service) return &s;
  return nullptr;
}

}  // namespace postern
