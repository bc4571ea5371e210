#include "auth/db_ldap_connection.h"

#include <errno.h>
#include <ldap.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace postern {

namespace {

constexpr ber_len_t kLargestMessage = 1 << 20;  // of the server's
constexpr int kMessages = 100;                  // of one search: entries and references
constexpr int kEntriesWanted = 2;               // one more than can be used
// An idle connection is asked for after this many seconds: what stands between may have forgotten it.
constexpr int kIdle = 60, kBetween = 10, kProbes = 3;

timeval to_timeval(Milliseconds time) {
  return {.tv_sec = static_cast<time_t>(time.count() / 1000),
          .tv_usec = static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

struct MessageFree {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using MessagePtr = std::unique_ptr<LDAPMessage, MessageFree>;

struct MemoryFree {
  void operator()(char* text) const { ldap_memfree(text); }
};
using Text = std::unique_ptr<char, MemoryFree>;

// --- time ------------------------------------------------------------------------
// libldap's own time-outs are not enough: it waits until a socket can be read, then for all of a message, and with
// GnuTLS it spins in a handshake for as long as the server is silent. So each read and write waits here, below TLS,
// until the deadline of what is being done, and fails after that.

bool wait_until(Sockbuf_IO_Desc* io, short event) {
  pollfd p{.fd = -1, .events = event, .revents = 0};
  ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
  const auto left = std::chrono::ceil<Milliseconds>(*static_cast<const Instant*>(io->sbiod_pvt) - SystemClock().now());
  if (::poll(&p, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) > 0) return true;
  errno = ETIMEDOUT;
  return false;
}

int set_up_io(Sockbuf_IO_Desc* io, void* deadline) { return io->sbiod_pvt = deadline, 0; }
int pass_control(Sockbuf_IO_Desc* io, int option, void* value) { return LBER_SBIOD_CTRL_NEXT(io, option, value); }
int nothing_to_do(Sockbuf_IO_Desc*) { return 0; }
ber_slen_t read_in_time(Sockbuf_IO_Desc* io, void* room, ber_len_t size) {
  return wait_until(io, POLLIN) ? LBER_SBIOD_READ_NEXT(io, room, size) : -1;
}
ber_slen_t write_in_time(Sockbuf_IO_Desc* io, void* data, ber_len_t size) {
  return wait_until(io, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(io, data, size) : -1;
}

Sockbuf_IO timed_io = {set_up_io, nothing_to_do, pass_control, read_in_time, write_in_time, nothing_to_do};
constexpr int kBelowTls = (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2;

int limit_socket(LDAP*, Sockbuf* socket, LDAPURLDesc*, sockaddr*, ldap_conncb* callback) {
  ber_len_t largest = kLargestMessage;
  ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &largest);
  return ber_sockbuf_add_io(socket, &timed_io, kBelowTls, callback->lc_arg);
}
void socket_closed(LDAP*, Sockbuf*, ldap_conncb*) {}

}  // namespace

struct LdapConnection::Handle {
  LDAP* ld = nullptr;
  Milliseconds timeout{};
  Instant until{};  // of what is being done
  ldap_conncb callback{limit_socket, socket_closed, nullptr};

  ~Handle() {
    until = {};  // there is nothing to wait for
    if (ld != nullptr) ldap_unbind_ext(ld, nullptr, nullptr);
  }

  bool set(int option, const void* value) { return ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS; }
  bool set_text(int option, const std::string& value) { return value.empty() || set(option, value.c_str()); }

  // What libldap or the server says; never a value of ours.
  std::string reason(int code, const char* diagnostic = nullptr) const {
    if (code < 0 && SystemClock().now() >= until) return "no answer in time";
    Text own;
    if (diagnostic == nullptr || *diagnostic == '\0') {
      char* text = nullptr;
      ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
      own.reset(text);
      diagnostic = text;
    }
    std::string out = ldap_err2string(code);
    return diagnostic == nullptr || *diagnostic == '\0' ? out : out + ": " + printable(diagnostic);
  }

  // The next message of an operation; null: `code` says why.
  MessagePtr next(int id, int& code) {
    const auto left = std::chrono::duration_cast<Milliseconds>(until - SystemClock().now());
    timeval wait = to_timeval(std::max(left, Milliseconds(1)));
    LDAPMessage* message = nullptr;
    const int type = ldap_result(ld, id, LDAP_MSG_ONE, &wait, &message);
    code = LDAP_SUCCESS;
    if (type == 0) code = LDAP_TIMEOUT;
    if (type < 0) ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
    if (type < 0 && code == LDAP_SUCCESS) code = LDAP_SERVER_DOWN;
    return MessagePtr(message);
  }

  void begin() { until = SystemClock().now() + timeout; }
};

namespace {

// Codes after which another connection, or another server, may do better.
bool is_lost(int code) {
  const bool of_this_request = code == LDAP_FILTER_ERROR || code == LDAP_PARAM_ERROR || code == LDAP_NOT_SUPPORTED;
  return (code < 0 && !of_this_request) || code == LDAP_UNAVAILABLE || code == LDAP_BUSY;
}

// --- opening -----------------------------------------------------------------

template <class H>
bool set_limits(H& h, const LdapAccess& access) {
  const int version = LDAP_VERSION3;
  const timeval connect = to_timeval(std::min(access.connect_timeout, access.timeout)),
                answer = to_timeval(access.timeout);
  return h.set(LDAP_OPT_PROTOCOL_VERSION, &version) && h.set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&
         h.set(LDAP_OPT_RESTART, LDAP_OPT_ON) && h.set(LDAP_OPT_NETWORK_TIMEOUT, &connect) &&
         h.set(LDAP_OPT_TIMEOUT, &answer) && h.set(LDAP_OPT_CONNECT_CB, &h.callback) &&
         h.set(LDAP_OPT_X_KEEPALIVE_IDLE, &kIdle) && h.set(LDAP_OPT_X_KEEPALIVE_INTERVAL, &kBetween) &&
         h.set(LDAP_OPT_X_KEEPALIVE_PROBES, &kProbes);
}

template <class H>
bool set_tls(H& h, const LdapAccess& access) {
  const int client = 0;
  return h.set(LDAP_OPT_X_TLS_REQUIRE_CERT, &access.require_cert) &&
         h.set_text(LDAP_OPT_X_TLS_CACERTFILE, access.ca_file) && h.set_text(LDAP_OPT_X_TLS_CACERTDIR, access.ca_dir) &&
         h.set_text(LDAP_OPT_X_TLS_CERTFILE, access.cert_file) && h.set_text(LDAP_OPT_X_TLS_KEYFILE, access.key_file) &&
         h.set_text(LDAP_OPT_X_TLS_CIPHER_SUITE, access.ciphers) && h.set(LDAP_OPT_X_TLS_NEWCTX, &client);
}

// --- answers -----------------------------------------------------------------

// The server's word on an account whose password it would not take (draft-behera-ldap-password-policy).
LdapBind refused_bind(LDAP* ld, LDAPControl** controls) {
  LDAPControl* control =
      controls == nullptr ? nullptr : ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, nullptr);
  ber_int_t expire = 0, grace = 0;
  LDAPPasswordPolicyError error = PP_noError;
  if (control == nullptr || ldap_parse_passwordpolicy_control(ld, control, &expire, &grace, &error) != LDAP_SUCCESS)
    return LdapBind::Wrong;
  return error == PP_passwordExpired ? LdapBind::Expired
         : error == PP_accountLocked ? LdapBind::Disabled
                                     : LdapBind::Wrong;
}

std::vector<std::string> values_of(LDAP* ld, LDAPMessage* message, const char* attribute) {
  std::vector<std::string> out;
  berval** values = ldap_get_values_len(ld, message, attribute);
  for (berval** v = values; v != nullptr && *v != nullptr; ++v) out.emplace_back((*v)->bv_val, (*v)->bv_len);
  ldap_value_free_len(values);
  return out;
}

LdapEntry read_entry(LDAP* ld, LDAPMessage* message) {
  LdapEntry out;
  if (const Text dn{ldap_get_dn(ld, message)}) out.dn = dn.get();
  BerElement* place = nullptr;
  for (Text name(ldap_first_attribute(ld, message, &place)); name != nullptr;
       name.reset(ldap_next_attribute(ld, message, place)))
    out.values[to_lower(name.get())] = values_of(ld, message, name.get());
  ber_free(place, 0);
  return out;
}

}  // namespace

LdapConnection::LdapConnection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
LdapConnection::~LdapConnection() = default;

Result<std::unique_ptr<LdapConnection>> LdapConnection::open(const LdapAccess& access, const std::string& uri) {
  auto h = std::make_unique<Handle>();
  h->timeout = access.timeout;
  h->callback.lc_arg = &h->until;
  if (const int code = ldap_initialize(&h->ld, uri.c_str()); code != LDAP_SUCCESS) return Error(ldap_err2string(code));
  if (!set_limits(*h, access)) return Error("libldap does not take the limits on times");
  if (!set_tls(*h, access)) return Error("TLS: a file of the ldap_tls_ settings cannot be used");
  h->begin();
  if (access.start_tls && !istarts_with(uri, "ldaps:"))
    if (const int code = ldap_start_tls_s(h->ld, nullptr, nullptr); code != LDAP_SUCCESS)
      return Error("StartTLS: " + h->reason(code));
  return std::unique_ptr<LdapConnection>(new LdapConnection(std::move(h)));
}

// --- asking ----------------------------------------------------------------------

namespace {

// The result that ends an operation, or why there was none.
struct Ending {
  int code = LDAP_SUCCESS;
  std::string why;
  LdapBind refusal = LdapBind::Wrong;  // of a bind
};

template <class H>
Ending read_ending(const H& h, LDAPMessage* message) {
  Ending out;
  char* diagnostic = nullptr;
  LDAPControl** controls = nullptr;
  const int parsed = ldap_parse_result(h.ld, message, &out.code, nullptr, &diagnostic, nullptr, &controls, 0);
  const Text text(diagnostic);
  if (parsed != LDAP_SUCCESS) out.code = parsed;
  out.why = h.reason(out.code, text.get());
  out.refusal = refused_bind(h.ld, controls);
  ldap_controls_free(controls);
  return out;
}

template <class H>
int send_bind(const H& h, const std::string& dn, const SecretString& password, int& id) {
  berval credentials{password.size(), const_cast<char*>(password.reveal().data())};
  LDAPControl* policy = nullptr;
  ldap_create_passwordpolicy_control(h.ld, &policy);
  LDAPControl* controls[] = {policy, nullptr};
  const int code = ldap_sasl_bind(h.ld, dn.c_str(), LDAP_SASL_SIMPLE, &credentials,
                                  policy == nullptr ? nullptr : controls, nullptr, &id);
  ldap_control_free(policy);
  return code;
}

template <class H>
int send_search(H& h, const LdapSearch& search, int& id) {
  std::vector<char*> names;
  for (const std::string& name : search.attributes) names.push_back(const_cast<char*>(name.c_str()));
  if (names.empty()) names.push_back(const_cast<char*>(LDAP_NO_ATTRS));
  names.push_back(nullptr);
  timeval limit = to_timeval(h.timeout);
  h.set(LDAP_OPT_DEREF, &search.deref);
  return ldap_search_ext(h.ld, search.base.c_str(), search.scope, search.filter.c_str(), names.data(), 0, nullptr,
                         nullptr, &limit, kEntriesWanted, &id);
}

// Entries up to the result, which is returned; null: `code` says why. A server that keeps no limit is not listened to.
template <class H>
MessagePtr read_entries(H& h, int id, LdapEntry& first, int& entries, int& code) {
  for (int messages = 0; messages < kMessages && entries <= kEntriesWanted; ++messages) {
    MessagePtr message = h.next(id, code);
    const int type = message == nullptr ? LDAP_RES_SEARCH_RESULT : ldap_msgtype(message.get());
    if (type == LDAP_RES_SEARCH_RESULT) return message;
    if (type == LDAP_RES_SEARCH_ENTRY && ++entries == 1) first = read_entry(h.ld, message.get());
  }
  ldap_abandon_ext(h.ld, id, nullptr, nullptr);
  code = LDAP_SIZELIMIT_EXCEEDED;
  return nullptr;
}

LdapBind bind_meaning(const Ending& end) {
  if (end.code == LDAP_SUCCESS) return LdapBind::Right;
  if (end.code == LDAP_INVALID_CREDENTIALS) return end.refusal;
  if (end.code == LDAP_NO_SUCH_OBJECT) return LdapBind::NoSuchEntry;
  return is_lost(end.code) ? LdapBind::Lost : LdapBind::Failed;
}

// `entries` came before the end.
LdapFind find_meaning(const Ending& end, int entries) {
  if (end.code == LDAP_SIZELIMIT_EXCEEDED) return LdapFind::Many;
  if (end.code == LDAP_NO_SUCH_OBJECT) return LdapFind::NoSuchBase;
  if (end.code != LDAP_SUCCESS) return is_lost(end.code) ? LdapFind::Lost : LdapFind::Failed;
  return entries == 0 ? LdapFind::None : entries == 1 ? LdapFind::One : LdapFind::Many;
}

}  // namespace

LdapBindResult LdapConnection::bind(const std::string& dn, const SecretString& password) {
  Handle& h = *handle_;
  h.begin();
  int id = 0, code = send_bind(h, dn, password, id);
  const MessagePtr message = code == LDAP_SUCCESS ? h.next(id, code) : nullptr;
  const Ending end = message != nullptr ? read_ending(h, message.get()) : Ending{code, h.reason(code)};
  return {bind_meaning(end), "bind: " + end.why};
}

LdapFindResult LdapConnection::find(const LdapSearch& search) {
  Handle& h = *handle_;
  h.begin();
  LdapFindResult out;
  int id = 0, entries = 0, code = send_search(h, search, id);
  const MessagePtr message = code == LDAP_SUCCESS ? read_entries(h, id, out.entry, entries, code) : nullptr;
  const Ending end = message != nullptr ? read_ending(h, message.get()) : Ending{code, h.reason(code)};
  out.what = find_meaning(end, entries);
  out.why = "search: " + end.why;
  return out;
}

}  // namespace postern
