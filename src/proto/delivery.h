// Taking mail for others: what a delivery protocol's client side and backend side say to common code. A client names
// recipients, each of them belongs to a backend or to this host, and each gets an answer of his own.
// Pure: bytes in, requests and outcomes out.
#ifndef POSTERN_PROTO_DELIVERY_H
#define POSTERN_PROTO_DELIVERY_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "proto/front.h"
#include "proto/protocol.h"

namespace postern {

// What a client said of a message. All texts are checked: no control bytes, no blanks but in quoted local parts.
struct Envelope {
  std::string sender;            // between < and >, as written; empty: the null sender
  std::string body;              // upper case: "7BIT", "8BITMIME"; empty: not said
  std::optional<uint64_t> size;  // bytes, as announced
  bool utf8 = false;             // addresses and headers may be UTF-8
  std::string ret, envid;        // DSN, as written; empty: not said
};

struct Recipient {
  uint32_t number = 0;        // in the order of the transaction's recipients, refused ones too; from 0
  std::string address;        // between < and >, as written
  std::string user;           // whom to look up: without the detail (LMTP-4)
  std::string detail;         // with the delimiter before it; empty: none
  std::string orcpt, notify;  // as written; empty: not said
  ForwardFields forward;      // told by a trusted peer
};

// What becomes of a recipient: first when he is named, then again when the message is complete.
enum class OutcomeKind : uint8_t {
  Taken,         // belongs to this host: he is welcome
  Delivered,     // his message is where it belongs; told only when the backend has said so (LMTP-46)
  BackendReply,  // `reply` is what the backend said of him, good or bad
  ProxyFailed,   // `trouble` says how (LMTP-34); text: for verbose replies
  NotAnswering,  // time is up; text: "transaction timed out while ..." (LMTP-36)
  UserUnknown,
  LookupFailed,   // for now; text: a reason, or empty
  Misconfigured,  // fields that make no sense: ours to mend, so no bounce (LMTP-23)
  LoopsToItself,
  TtlReached,
  LoginDisabled,    // text: a reason, or empty
  Referral,         // text: "user@host:port"
  Redirected,       // the backend sends us to `redirect` (LMTP-33)
  InternalFailure,  // no room to keep the message ...
  ProgramRefused,   // local delivery
  ProgramFailed,    // local delivery
  kCount
};

enum class ProxyTrouble : uint8_t { Other, Connect, Lost, BadReply, TimedOut, kCount };

// A backend's reply, taken apart.
struct BackendAnswer {
  unsigned code = 0;                 // 200 to 559
  std::string enhanced{};            // when the backend has them and its class is that of the code; else empty
  std::vector<std::string> lines{};  // texts behind code and enhanced code
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::InternalFailure;
  ProxyTrouble trouble = ProxyTrouble::Other;
  std::string text{};
  BackendAnswer reply{};
  Endpoint redirect{};    // none: nowhere that we can go; port 0: the one we came to
  std::string session{};  // of this recipient (LMTP-35)

  // Whether the recipient is still in the running after that.
  bool is_good() const {
    if (kind == OutcomeKind::BackendReply) return reply.code >= 200 && reply.code < 300;
    return kind == OutcomeKind::Taken || kind == OutcomeKind::Delivered;
  }
};

// What a delivery front wants of the session; feed() returns right behind it. BeginTls, ForwardedFacts and Farewell
// mean what they mean in proto/front.h.
struct BeginTransaction {
  Envelope envelope;
};
struct AddRecipient {
  Recipient recipient;
};                          // then answer_recipient(), sooner or later, in any order
struct BeginMessage {};     // `body` follows, from the next feed() on
struct EndMessage {};       // complete; then answer_delivery() for each good recipient, in any order
struct DropTransaction {};  // RSET, a new greeting ...: nothing of it counts
using DeliveryRequest = std::variant<std::monostate, BeginTls, ForwardedFacts, Farewell, BeginTransaction, AddRecipient,
                                     BeginMessage, EndMessage, DropTransaction>;

struct DeliveryOutput {
  std::string send;  // bytes for the client, in order
  std::string body;  // bytes of the message, in order: its lines end with CRLF, and there is no other CR or LF in it
  DeliveryRequest request;  // at most one; comes after `body`
};

// What our trace header tells of this hop (LMTP-39).
struct TraceFacts {
  std::string tls;  // "TLSv1.3 with cipher ..."; empty: none
  IpAddress client;
  std::string transaction;  // its id
  int64_t now = 0;          // seconds since 1970
  int32_t utc_offset = 0;   // seconds east of UTC
};

class DeliveryFront {
 public:
  virtual ~DeliveryFront() = default;

  virtual void greet(DeliveryOutput& out) = 0;
  // Takes what it can from `input`, returns the number of bytes taken; stops behind the first request. Takes nothing
  // while it waits for answers that the next command depends on. The session calls it again as long as it takes
  // something or has a request, then also with no input left, and after each answer.
  virtual size_t feed(std::string_view input, DeliveryOutput& out) = 0;
  // The answers may come in any order; the client reads them in the order of his commands (LMTP-42).
  virtual void answer_recipient(uint32_t number, const Outcome& outcome, DeliveryOutput& out) = 0;
  virtual void answer_delivery(uint32_t number, const Outcome& outcome, DeliveryOutput& out) = 0;
  // TLS is established: the conversation begins anew. A transaction was dropped before.
  virtual void on_tls(DeliveryOutput& out) = 0;
  virtual void set_facts(const ConnectionFacts& facts) = 0;
  // The server ends the connection.
  virtual void goodbye(std::string_view text, Parting why, DeliveryOutput& out) = 0;
  // Nothing but the client himself can move things on: his idle time runs.
  virtual bool waits_for_client() const = 0;
  // The header that stands before the message on its way to a backend; empty: none.
  virtual std::string trace_header(const TraceFacts& facts) const = 0;
  // What stands before it for a program of this host, trace_header() included (LMTP-39).
  virtual std::string local_header(const TraceFacts& facts, const Recipient& recipient) const = 0;
  // What this protocol's own back is to know of the client.
  virtual ProtocolFacts told_to_back() const = 0;
};

// One transaction with a backend whose handshake is done.
struct DeliveryBackOutput {
  std::string send;  // for the backend
  enum class Event : uint8_t {
    None,
    SendMessage,  // the message may go now, encoded by encode() and finish(); then message_sent()
    GiveUp,       // the connection is of no use any more: it has failed, or the message was refused while on its way
  } event = Event::None;
  std::vector<std::pair<uint32_t, Outcome>> outcomes;  // by number of recipient; `session` is left empty
};

// How a message goes over the wire, piece by piece; a plain value, so that a piece can be encoded twice.
struct BodyState {
  bool in_line = false;
};

class DeliveryBack {
 public:
  virtual ~DeliveryBack() = default;

  // Another recipient; `address` is what stands between < and > there (LMTP-4), `forward` what the passdb adds.
  virtual void add_recipient(const Recipient& recipient, std::string_view address, const ForwardFields& forward,
                             DeliveryBackOutput& out) = 0;
  // The message is complete: `size` bytes. Recipients that the backend has not taken don't count; with none left there
  // is nothing to do.
  virtual void begin_message(uint64_t size, DeliveryBackOutput& out) = 0;
  // Encodes a piece of the message, to be called in order from the first byte (LMTP-40).
  virtual void encode(std::string_view piece, BodyState& state, std::string& out) const = 0;
  // What stands behind the last piece.
  virtual void finish(const BodyState& state, std::string& out) const = 0;
  virtual void message_sent() = 0;
  // Replies. Returns what it took: whole lines. After the last outcome there is nothing to read.
  virtual size_t feed(std::string_view input, DeliveryBackOutput& out) = 0;
  // The connection has failed: every recipient that waits for an answer gets `outcome`. Who was taken and waits for the
  // message gets it at begin_message() (LMTP-44).
  virtual void fail(const Outcome& outcome, DeliveryBackOutput& out) = 0;
  // What we are waiting for, in words; empty: for nothing.
  virtual std::string_view waiting_for() const = 0;
  // A word of farewell for an orderly end, empty when it was said already; nothing when the conversation stands
  // elsewhere.
  virtual std::optional<std::string_view> farewell() const = 0;
};

// A protocol that a backend for deliveries may speak (field `protocol`).
struct DeliveryBackend {
  std::string_view name;
  BackSide side;  // its script ends with BackendReply::capabilities: what make() wants to know
  std::unique_ptr<DeliveryBack> (*make)(std::string_view capabilities, const Envelope& envelope);
};

struct DeliveryProtocol {
  std::string_view name;     // %s, settings, protocol filter
  std::string_view service;  // service name, log prefix
  std::unique_ptr<DeliveryFront> (*make_front)(const FrontSettings& settings, const ConnectionFacts& facts);
  std::span<const DeliveryBackend> backends;  // the first is the one without the field
  // How a backend calls a recipient whose user name was changed to `user` (LMTP-4); nothing when that is no address.
  std::optional<std::string> (*address_for)(std::string_view user, const Recipient& recipient);
};

}  // namespace postern

#endif
