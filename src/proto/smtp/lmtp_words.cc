#include "proto/smtp/lmtp_words.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/rows.h"
#include "base/text.h"
#include "proto/smtp/reply.h"

namespace postern::smtp {

namespace {

// --- LHLO (LMTP-6) -----------------------------------------------------------------

struct Context {
  const FrontSettings& settings;
  const ConnectionFacts& facts;

  std::string if_listed(std::string_view name) const {
    const auto& all = settings.extensions;
    return std::find(all.begin(), all.end(), name) != all.end() ? std::string(name) : std::string();
  }
};

// In this order; an empty line is left out.
using LhloLine = std::string (*)(const Context&);
constexpr LhloLine kLhlo[] = {
    [](const Context& c) { return c.if_listed("8BITMIME"); },
    [](const Context& c) { return c.if_listed("CHUNKING"); },
    [](const Context& c) { return c.if_listed("DSN"); },
    [](const Context&) { return std::string("ENHANCEDSTATUSCODES"); },
    [](const Context&) { return std::string("PIPELINING"); },
    [](const Context& c) {
      return c.settings.max_mail_size > 0 ? fmt::format("SIZE {}", c.settings.max_mail_size) : std::string();
    },
    [](const Context& c) { return c.if_listed("SMTPUTF8"); },
    [](const Context& c) { return std::string(c.facts.tls_available && !c.facts.tls_active ? "STARTTLS" : ""); },
    [](const Context& c) {
      return std::string(c.facts.trusted ? "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT" : "");
    },
    [](const Context& c) { return std::string(c.facts.trusted ? "XRCPTFORWARD" : ""); },
};

// --- outcomes (LMTP-22, LMTP-23, LMTP-32 to LMTP-34, LMTP-42) ------------------------

struct Told {
  const Outcome& outcome;
  const Recipient& recipient;
  bool verbose;

  std::string session() const { return "session=" + outcome.session; }
  std::string text_or(std::string_view text) const {
    return outcome.text.empty() ? std::string(text) : printable(outcome.text, 400);
  }
};

constexpr std::array<std::string_view, static_cast<size_t>(ProxyTrouble::kCount)> kTroubles{
    "", "connect, ", "connection lost, ", "bad reply, ", "timed out, "};  // in the order of ProxyTrouble

std::string proxy_failed(const Told& t) {
  if (t.verbose) return fmt::format("Proxy failed: {} ({})", t.text_or("connection failed"), t.session());
  return fmt::format("Proxy failed ({}{})", kTroubles[static_cast<size_t>(t.outcome.trouble)], t.session());
}

enum class Address : uint8_t { Shown, Left };

struct OutcomeRow {
  OutcomeKind kind;
  unsigned code;
  std::string_view enhanced;
  Address address;
  std::string (*text)(const Told&);
};

// In the order of OutcomeKind. Only what is the recipient's own fault bounces; a loop does, too: it would go on for
// ever.
constexpr OutcomeRow kOutcomes[] = {
    {OutcomeKind::Taken, 250, "2.1.5", Address::Left, [](const Told&) { return std::string("OK"); }},
    {OutcomeKind::Delivered, 250, "2.0.0", Address::Shown, [](const Told& t) { return t.outcome.session + " Saved"; }},
    {OutcomeKind::BackendReply, 0, "", Address::Shown, nullptr},
    {OutcomeKind::ProxyFailed, 451, "4.4.0", Address::Left, proxy_failed},
    {OutcomeKind::NotAnswering, 451, "4.4.0", Address::Shown,
     [](const Told& t) { return "Remote server not answering (" + t.text_or("timed out") + ")"; }},
    {OutcomeKind::UserUnknown, 550, "5.1.1", Address::Shown,
     [](const Told& t) { return "User doesn't exist: " + printable(t.recipient.user, 200); }},
    {OutcomeKind::LookupFailed, 451, "4.3.0", Address::Shown,
     [](const Told& t) { return t.text_or("Temporary user lookup failure"); }},
    {OutcomeKind::Misconfigured, 451, "4.3.0", Address::Shown,
     [](const Told&) { return std::string("Internal user lookup failure"); }},
    {OutcomeKind::LoopsToItself, 554, "5.4.6", Address::Shown,
     [](const Told&) { return std::string("Proxying loops to itself"); }},
    {OutcomeKind::TtlReached, 554, "5.4.6", Address::Shown,
     [](const Told&) { return std::string("Proxying appears to be looping (TTL=0)"); }},
    {OutcomeKind::LoginDisabled, 550, "5.3.5", Address::Shown,
     [](const Told& t) { return t.text_or("Login disabled"); }},
    {OutcomeKind::Referral, 550, "5.2.900", Address::Shown, [](const Told& t) { return t.text_or("") + " Referral"; }},
    {OutcomeKind::Redirected, 451, "4.3.0", Address::Shown,
     [](const Told&) { return std::string("Temporary internal proxy error"); }},
    {OutcomeKind::InternalFailure, 451, "4.3.0", Address::Left,
     [](const Told&) { return std::string("Temporary internal failure"); }},
    {OutcomeKind::ProgramRefused, 550, "5.7.1", Address::Shown,
     [](const Told&) { return std::string("Message refused"); }},
    {OutcomeKind::ProgramFailed, 451, "4.3.0", Address::Shown,
     [](const Told&) { return std::string("Temporary local delivery failure"); }},
};
static_assert(std::size(kOutcomes) == static_cast<size_t>(OutcomeKind::kCount) &&
              rows_stand_in_order(kOutcomes, &OutcomeRow::kind));

std::string bracketed(const Recipient& recipient) { return "<" + recipient.address + "> "; }

// The backend speaks of the address that we told it: the client knows another.
std::string with_address(std::string_view text, const Recipient& recipient, bool add) {
  const size_t end = text.starts_with('<') ? text.find("> ") : std::string_view::npos;
  if (end != std::string_view::npos) return bracketed(recipient) + printable(text.substr(end + 2), 1000);
  return (add ? bracketed(recipient) : std::string()) + printable(text, 1000);
}

std::string backend_reply(const BackendAnswer& reply, const Recipient& recipient) {
  const bool good = reply.code < 300;
  const std::string enhanced = !reply.enhanced.empty() ? reply.enhanced
                               : good                  ? "2.1.0"
                                                       : fmt::format("{}.0.0", reply.code / 100);
  std::string out;
  for (size_t i = 0; i < reply.lines.size(); ++i)
    out += fmt::format("{}{}{} {}\r\n", reply.code, i + 1 == reply.lines.size() ? ' ' : '-', enhanced,
                       with_address(reply.lines[i], recipient, !good));
  return out;
}

// --- headers (LMTP-39) ---------------------------------------------------------------

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::vector<std::string> lhlo_lines(const FrontSettings& settings, const ConnectionFacts& facts) {
  const Context context{settings, facts};
  std::vector<std::string> lines{settings.hostname};
  for (const LhloLine make : kLhlo)
    if (std::string line = make(context); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string outcome_reply(const Outcome& outcome, Stage stage, const Recipient& recipient, bool verbose) {
  // What a backend says when it has the message is not for the client: our id is what finds it in our log.
  if (stage == Stage::Delivery && outcome.kind == OutcomeKind::BackendReply && outcome.is_good())
    return outcome_reply({.kind = OutcomeKind::Delivered, .session = outcome.session}, stage, recipient, verbose);
  if (outcome.kind == OutcomeKind::BackendReply) return backend_reply(outcome.reply, recipient);
  const OutcomeRow& row = kOutcomes[static_cast<size_t>(outcome.kind)];
  const std::string text = row.text({outcome, recipient, verbose});
  return format_reply(row.code, row.enhanced,
                      (row.address == Address::Shown ? bracketed(recipient) : std::string()) + text);
}

std::string message_date(int64_t seconds, int32_t utc_offset) {
  const time_t local = static_cast<time_t>(seconds + utc_offset);
  tm t{};
  ::gmtime_r(&local, &t);
  const int minutes = std::abs(utc_offset) / 60;
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} {}{:02}{:02}", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon],
                     t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, utc_offset < 0 ? '-' : '+', minutes / 60,
                     minutes % 60);
}

std::string received_header(const TraceFacts& facts, const TraceSubject& subject) {
  std::string out = fmt::format("Received: from {}", subject.helo.empty() ? "unknown" : subject.helo);
  if (!facts.client.is_none()) out += fmt::format(" ([{}])", facts.client.text());
  out += "\r\n";
  if (!facts.tls.empty()) out += fmt::format("\t(using {})\r\n", facts.tls);
  out += fmt::format("\tby {} with LMTP{}\r\n\tid {}\r\n\t(envelope-from <{}>)", subject.hostname,
                     facts.tls.empty() ? "" : "S", facts.transaction, subject.sender);
  if (!subject.recipient.empty()) out += fmt::format("\r\n\tfor <{}>", subject.recipient);
  return out + "; " + message_date(facts.now, facts.utc_offset) + "\r\n";
}

}  // namespace postern::smtp
