// All messages between processes. One struct each; nothing else describes them.
#ifndef POSTERN_IPC_MESSAGES_H
#define POSTERN_IPC_MESSAGES_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/secret.h"
#include "base/tls_facts.h"
#include "ipc/message.h"

namespace postern {

// A passdb field as the database gave it; order matters for forward_* (PXI-10).
using FieldList = std::vector<std::pair<std::string, std::string>>;

// What auth knows of a client, all of it told by the login process (AUTH-32).
struct AuthSubject {
  std::string service;      // "imap", "pop3"
  std::string session;      // LOG-5
  std::string local_name;   // SNI
  std::string client_id;    // IMAP-56
  Endpoint remote, local;   // possibly forwarded by a trusted peer
  Endpoint real_remote, real_local;
  std::string secured;      // "", "secured" or "TLS" (%c)
  uint32_t pid = 0;
  bool no_penalty = false;
  FieldList forward;        // received forward_* fields, names without the prefix
  uint32_t max_userip = 0;  // mail_max_userip_connections as it holds for him; 0: any number
  uint32_t attempt = 1;     // of this connection to log in
  // Of the TLS session that the login process itself has with him. Channel bindings, raw (RFC 5929, RFC 9266); empty: not to be had.
  std::string tls_unique, tls_exporter;
  bool cert_valid = false;  // he showed a certificate, and it was verified; without that nothing is said of one
  std::string cert_name;    // ssl_cert_username_field of it
  std::string cert_fp, cert_key_fp;  // SHA-256 of the certificate and of its key, hex
  TlsFacts tls;

  auto fields() {
    return std::tie(service, session, local_name, client_id, remote, local, real_remote, real_local, secured, pid,
                    no_penalty, forward, max_userip, attempt, tls_unique, tls_exporter, cert_valid, cert_name, cert_fp, cert_key_fp, tls);
  }
};

// --- login <-> auth ---------------------------------------------------------

struct AuthHello {  // first message of auth on a new login connection: ready
  static constexpr std::string_view kName = "auth.hello";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

struct AuthStart {
  static constexpr std::string_view kName = "auth.start";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;  // unique among the requests under way on this connection
  std::string mechanism;  // upper case
  std::optional<SecretString> initial;  // decoded initial response; absent and empty differ
  AuthSubject subject;
  std::string sasl_service;  // of our Kerberos principal ("imap")
  auto fields() { return std::tie(id, mechanism, initial, subject, sasl_service); }
};

// Where does this user's mail go? Nobody logs in: no password, no delay, no penalty (LMTP-3). Answered by AuthReply; Failed
// is then an unknown user. With `deliver` comes one descriptor, a file with the whole message, read from its start: if the user
// belongs to this host, the program for local deliveries is started with it as standard input.
struct UserLookup {
  static constexpr std::string_view kName = "auth.user_lookup";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;  // as AuthStart's
  std::string user;
  AuthSubject subject;
  bool local_only = false;        // only whether he belongs to this host (lmtp_proxy = no)
  bool deliver = false;
  std::string sender, recipient;  // of the envelope: %{sender}, %{recipient}
  auto fields() { return std::tie(id, user, subject, local_only, deliver, sender, recipient); }
};

struct AuthContinue {
  static constexpr std::string_view kName = "auth.continue";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;
  SecretString response;  // decoded
  auto fields() { return std::tie(id, response); }
};

struct AuthCancel {  // the client left or aborted; no reply follows
  static constexpr std::string_view kName = "auth.cancel";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;
  auto fields() { return std::tie(id); }
};

struct AuthChallenge {
  static constexpr std::string_view kName = "auth.challenge";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint64_t id = 0;
  std::string challenge;  // not encoded
  auto fields() { return std::tie(id, challenge); }
};

// How an authentication ended. Everything but Ok leaves the client where it was.
enum class AuthResult : uint8_t {
  Ok,             // `extra` says what happens to the user: proxy, nologin, referral or local login
  Failed,         // wrong password, unknown user, refused by a field: never told apart (AUTH-5)
  AuthzFailed,    // master user known, target user not (IMAP-82)
  Disabled,       // IMAP-84
  Expired,        // IMAP-83
  Unavailable,    // temporary: a database, DNS or auth itself (IMAP-81)
  BadMechanism,   // not offered
  BadEncoding,    // response is not what the mechanism wants (IMAP-68)
  TooMany,        // local sessions of this user from this address (IMAP-89); `reason` is the text
  kCount
};

struct AuthReply {
  static constexpr std::string_view kName = "auth.reply";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint64_t id = 0;
  AuthResult result = AuthResult::Unavailable;
  std::string user;         // the (possibly changed) user name; also for failures, for the log
  std::string master_user;  // who really logged in, for master logins
  std::string reason;       // field `reason`
  FieldList extra;          // passdb fields, Ok only; `pass` never among them
  std::vector<IpAddress> addresses;  // of `host`, in the order to try; Ok with proxy only
  std::optional<SecretString> password;  // for the backend, Ok with proxy only (AUC-24)
  // Ok: the process of the user's mail program, with one descriptor, the socket to it; 0: no local login here. For a
  // delivery it is a pipe in which the program's end will stand: DeliveryEnd.
  uint32_t mail_pid = 0;
  bool is_local = false;  // to a UserLookup, Ok: the user belongs to this host, and it has a program for him
  auto fields() { return std::tie(id, result, user, master_user, reason, extra, addresses, password, mail_pid, is_local); }
};

// --- auth <-> auth-worker ---------------------------------------------------

struct WorkerLookup {  // run one database for one request
  static constexpr std::string_view kName = "worker.lookup";
  static constexpr Direction kDirection{Role::Auth, Role::AuthWorker};
  uint64_t id = 0;
  bool userdb = false;    // of the userdb list, else of the passdb list
  uint32_t database = 0;  // index in that list of the worker's settings
  // %-variables that the look-up needs, by long name ("user", "passdb:host").
  std::vector<std::pair<std::string, std::string>> variables;
  std::optional<SecretString> password;  // %w, when it needs that, or to be checked
  bool verify = false;  // the database itself is to check `password`
  auto fields() { return std::tie(id, userdb, database, variables, password, verify); }
};

enum class LookupResult : uint8_t { Found, NotFound, Broken, kCount };

// What a database that checks passwords itself says of one; None: it was not asked, or has a stored one instead.
enum class PasswordCheck : uint8_t { None, Right, Wrong, Disabled, Expired, kCount };

struct WorkerRow {
  static constexpr std::string_view kName = "worker.row";
  static constexpr Direction kDirection{Role::AuthWorker, Role::Auth};
  uint64_t id = 0;
  LookupResult result = LookupResult::Broken;
  std::string why;  // for the log, Broken only
  SecretString password;  // field `password` as stored
  bool has_password = false;  // false: NULL
  bool password_literal = false;  // a '{' in it is no scheme (password_noscheme)
  FieldList row;  // all other columns that are not NULL
  PasswordCheck check = PasswordCheck::None;
  bool retires = false;  // service_count is used up: takes no more
  auto fields() { return std::tie(id, result, why, password, has_password, password_literal, row, check, retires); }
};

struct WorkerVerify {  // compare a password with a slow hash
  static constexpr std::string_view kName = "worker.verify";
  static constexpr Direction kDirection{Role::Auth, Role::AuthWorker};
  uint64_t id = 0;
  SecretString stored;    // with {SCHEME}
  SecretString password;
  auto fields() { return std::tie(id, stored, password); }
};

enum class VerifyResult : uint8_t { Match, Mismatch, UnknownScheme, Broken, kCount };

struct WorkerVerdict {
  static constexpr std::string_view kName = "worker.verdict";
  static constexpr Direction kDirection{Role::AuthWorker, Role::Auth};
  uint64_t id = 0;
  VerifyResult result = VerifyResult::Broken;
  std::string why;
  bool retires = false;  // as in WorkerRow
  auto fields() { return std::tie(id, result, why, retires); }
};

// --- login <-> state --------------------------------------------------------

struct SessionStarted {  // also again, to a state process that has just started
  static constexpr std::string_view kName = "session.started";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;          // unique in its process
  std::string user, service, session;
  Endpoint remote, local;   // the client's, as forwarded
  Endpoint backend;         // none: logged in on this host
  uint32_t mail_pid = 0;    // then: the process of his mail program
  int64_t since = 0;        // seconds since 1970
  // CLOCK_MONOTONIC, in milliseconds, when auth had answered: a kick after that is meant for this session, too.
  uint64_t decided = 0;
  auto fields() { return std::tie(id, user, service, session, remote, local, backend, mail_pid, since, decided); }
};

struct SessionEnded {  // a process that ends takes its sessions along without this
  static constexpr std::string_view kName = "session.ended";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;
  auto fields() { return std::tie(id); }
};

struct KickSessions {  // to a worker with many sessions
  static constexpr std::string_view kName = "state.kick_sessions";
  static constexpr Direction kDirection{Role::State, Role::Login};
  std::vector<uint64_t> ids;
  auto fields() { return std::tie(ids); }
};

// Limits of proxied sessions (ANVIL-7). The place that is reserved is SessionStarted's with the same id, and free again with
// SessionEnded or the end of the channel.
struct ReserveSession {
  static constexpr std::string_view kName = "session.reserve";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;  // as SessionStarted's
  std::string user, service;
  IpAddress address;                        // the client's, as forwarded
  uint32_t max_user = 0, max_userip = 0;    // 0: any number
  bool close_idle = false;                  // rather than to be refused: in place of the one that has been idle for longest,
  uint32_t min_idle = 0;                    // and for so many seconds
  bool held = false;  // to a state process that is new: the place was given before; not answered
  auto fields() { return std::tie(id, user, service, address, max_user, max_userip, close_idle, min_idle, held); }
};

enum class PlaceAnswer : uint8_t { Granted, UserLimit, UserIpLimit, kCount };

struct SessionReserved {
  static constexpr std::string_view kName = "state.session_reserved";
  static constexpr Direction kDirection{Role::State, Role::Login};
  uint64_t id = 0;
  PlaceAnswer answer = PlaceAnswer::Granted;
  auto fields() { return std::tie(id, answer); }
};

struct AskIdle {  // for how long have these sessions been idle?
  static constexpr std::string_view kName = "state.ask_idle";
  static constexpr Direction kDirection{Role::State, Role::Login};
  uint64_t query = 0;
  std::vector<uint64_t> ids;
  auto fields() { return std::tie(query, ids); }
};

struct IdleSessions {  // the answer: id and seconds; without those that have ended
  static constexpr std::string_view kName = "session.idle";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t query = 0;
  std::vector<std::pair<uint64_t, uint32_t>> idle;
  auto fields() { return std::tie(query, idle); }
};

struct CloseIdle {  // to make room for new ones
  static constexpr std::string_view kName = "state.close_idle";
  static constexpr Direction kDirection{Role::State, Role::Login};
  std::vector<uint64_t> ids;
  PlaceAnswer why = PlaceAnswer::UserLimit;
  auto fields() { return std::tie(ids, why); }
};

struct WorkerConnected {  // among the reports of one-shot workers; one descriptor: a channel of this worker's own
  static constexpr std::string_view kName = "session.worker_connected";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint8_t unused = 0;
  auto fields() { return std::tie(unused); }
};

// --- state <-> master --------------------------------------------------------

struct KickWorkers {  // one-shot workers whose session is to end; one of many: not all of them at once
  static constexpr std::string_view kName = "state.kick_workers";
  static constexpr Direction kDirection{Role::State, Role::Master};
  std::vector<uint32_t> pids;
  bool many = false;
  auto fields() { return std::tie(pids, many); }
};

struct ReportsOpened {  // one descriptor: what the one-shot workers of a service have to tell
  static constexpr std::string_view kName = "master.reports_opened";
  static constexpr Direction kDirection{Role::Master, Role::State};
  std::string service;
  auto fields() { return std::tie(service); }
};

struct WorkerGone {  // stands among these reports, behind the last one of the worker
  static constexpr std::string_view kName = "master.worker_gone";
  static constexpr Direction kDirection{Role::Master, Role::State};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

// --- any child <-> master ---------------------------------------------------

struct ChildReady {  // start-up is over (MASTER-14: within 30 s)
  static constexpr std::string_view kName = "child.ready";
  static constexpr Direction kDirection{Role::Login, Role::Master, true};
  uint32_t available = 0;  // connections it will take now
  auto fields() { return std::tie(available); }
};

struct ChildStatus {  // MASTER-13
  static constexpr std::string_view kName = "child.status";
  static constexpr Direction kDirection{Role::Login, Role::Master, true};
  uint32_t available = 0;
  bool retired = false;  // service_count used up: finishes what it has
  auto fields() { return std::tie(available, retired); }
};

struct NeedWorker {  // auth has more blocking work than auth-workers
  static constexpr std::string_view kName = "child.need_worker";
  static constexpr Direction kDirection{Role::Auth, Role::Master};
  uint32_t waiting = 0;
  auto fields() { return std::tie(waiting); }
};

struct PeerOpened {  // one descriptor: a socket to another process
  static constexpr std::string_view kName = "master.peer_opened";
  static constexpr Direction kDirection{Role::Master, Role::Login, true};
  Role peer = Role::Master;
  uint32_t pid = 0;
  auto fields() { return std::tie(peer, pid); }
};

struct InputOpened {  // to log: one descriptor with the lines of a service
  static constexpr std::string_view kName = "master.input_opened";
  static constexpr Direction kDirection{Role::Master, Role::Log};
  std::string service;
  auto fields() { return std::tie(service); }
};

enum class StopHow : uint8_t { Drain, Now, kCount };

struct StopChild {
  static constexpr std::string_view kName = "master.stop";
  static constexpr Direction kDirection{Role::Master, Role::Login, true};
  StopHow how = StopHow::Drain;  // Drain: take nothing new, finish what is there. Now: end sessions politely
  auto fields() { return std::tie(how); }
};

struct ServiceFull {  // every process of the service is full: make room for newer clients (MASTER-24)
  static constexpr std::string_view kName = "master.service_full";
  static constexpr Direction kDirection{Role::Master, Role::Login};
  uint32_t milliseconds = 0;  // for so long
  auto fields() { return std::tie(milliseconds); }
};

struct ReopenLogs {
  static constexpr std::string_view kName = "master.reopen_logs";
  static constexpr Direction kDirection{Role::Master, Role::Log};
  uint8_t unused = 0;
  auto fields() { return std::tie(unused); }
};

struct ForkWorker {  // to a prepared parent; descriptors: the client, the socket to auth
  static constexpr std::string_view kName = "master.fork_worker";
  static constexpr Direction kDirection{Role::Master, Role::Login};
  uint32_t listener = 0;  // index in ChildBoot::listeners
  Endpoint remote;
  auto fields() { return std::tie(listener, remote); }
};

struct WorkerForked {
  static constexpr std::string_view kName = "child.worker_forked";
  static constexpr Direction kDirection{Role::Login, Role::Master};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

struct WorkerEnded {
  static constexpr std::string_view kName = "child.worker_ended";
  static constexpr Direction kDirection{Role::Login, Role::Master};
  uint32_t pid = 0;
  int32_t wait_status = 0;
  auto fields() { return std::tie(pid, wait_status); }
};

// --- auth <-> master: local mail programs (DECISIONS section 8) --------------

struct StartMail {  // for a user who has authenticated; the master checks all of it once more
  static constexpr std::string_view kName = "auth.start_mail";
  static constexpr Direction kDirection{Role::Auth, Role::Master};
  uint64_t id = 0;
  std::string service;  // "imap"
  std::string user, home, session;
  std::string uid, gid;  // names or numbers; empty: the system user's own
  std::string groups_of;  // the system user whose supplementary groups it gets; empty: none
  std::vector<std::string> words;  // of service.X.executable, variables filled in
  FieldList environment;  // further userdb fields, names as in the database
  Endpoint remote, local;
  uint32_t max_userip = 0;  // programs of this service for this user and address; 0: any number
  // One descriptor comes with the order, the message: the program reads it, and what MailStarted brings is a pipe in which
  // its end is told.
  bool delivery = false;
  auto fields() { return std::tie(id, service, user, home, session, uid, gid, groups_of, words, environment, remote, local, max_userip, delivery); }
};

struct MailStarted {  // one descriptor, the socket to it; or why there is none
  static constexpr std::string_view kName = "master.mail_started";
  static constexpr Direction kDirection{Role::Master, Role::Auth};
  uint64_t id = 0;
  uint32_t pid = 0;
  std::string why;  // pid 0
  bool too_many = false;  // because of max_userip
  auto fields() { return std::tie(id, pid, why, too_many); }
};

// What the master writes into the pipe of a delivery once its program has ended; no packet, just these bytes.
struct DeliveryEnd {
  int32_t wait_status = 0;  // as waitpid(2) has it
};

// --- state <-> auth: what an administrator asks (posternctl auth ...) ---------

enum class AuthOrder : uint8_t { Test, Login, Lookup, FlushCache, CacheStatus, kCount };

struct AuthQuestion {
  static constexpr std::string_view kName = "state.auth_question";
  static constexpr Direction kDirection{Role::State, Role::Auth};
  uint64_t id = 0;
  AuthOrder order = AuthOrder::Test;
  std::string user;       // Test, Login, Lookup
  SecretString password;  // Test, Login
  AuthSubject subject;    // the client to be imagined
  std::vector<std::string> masks;  // FlushCache: of users; none: all
  auto fields() { return std::tie(id, order, user, password, subject, masks); }
};

struct AuthAnswer {
  static constexpr std::string_view kName = "auth.answer";
  static constexpr Direction kDirection{Role::Auth, Role::State};
  uint64_t id = 0;
  AuthResult result = AuthResult::Unavailable;
  std::string user, reason;
  FieldList passdb, userdb;  // fields a login process or mail program would get; CacheStatus: what is counted, in passdb
  uint64_t count = 0;        // FlushCache: entries
  auto fields() { return std::tie(id, result, user, reason, passdb, userdb, count); }
};

using Messages = MessageList<AuthHello, AuthStart, UserLookup, AuthContinue, AuthCancel, AuthChallenge, AuthReply, WorkerLookup,
                             WorkerRow, WorkerVerify, WorkerVerdict, ChildReady, ChildStatus, NeedWorker, PeerOpened,
                             InputOpened, StopChild, ServiceFull, ReopenLogs, ForkWorker, WorkerForked, WorkerEnded,
                             SessionStarted, SessionEnded, KickSessions, KickWorkers, ReportsOpened, WorkerGone,
                             StartMail, MailStarted, ReserveSession, SessionReserved, AskIdle, IdleSessions, CloseIdle, WorkerConnected,
                             AuthQuestion, AuthAnswer>;

}  // namespace postern

#endif
