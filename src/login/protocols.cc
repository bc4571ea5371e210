#include "login/protocols.h"

#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"
#include "proto/sieve/protocol.h"

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

const ServedProtocol kServed[] = {
    {imap::kImap, imap_settings},
    {kPop3, pop3_settings},
    {sieve::kSieve, sieve_settings},
};

}  // namespace

const ServedProtocol* find_served_protocol(std::string_view service) {
  for (const ServedProtocol& s : kServed)
    if (s.protocol.login_service == service) return &s;
  return nullptr;
}

}  // namespace postern
