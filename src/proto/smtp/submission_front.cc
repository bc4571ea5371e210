#include "proto/smtp/submission_front.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "proto/sasl_policy.h"
#include "proto/smtp/server.h"

namespace postern::smtp {

namespace {

// How a mechanism is refused before anybody is asked, in the order of SaslRuling (SASL-3).
struct RulingRow {
  unsigned code;
  std::string_view enhanced, text, reason;
};
constexpr RulingRow kRulings[] = {
    {0, "", "", ""},
    {530, "5.7.0", "TLS required.", refusal::kTlsRequired},
    {504, "5.5.4", "Unsupported authentication mechanism.", refusal::kUnsupportedMechanism},
    {523, "5.7.10", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
     refusal::kPlaintextDisabled},
};

class SubmissionFront final : public Front, private Server<FrontOutput> {
 public:
  SubmissionFront(const FrontSettings& settings, const ConnectionFacts& facts) : Server(settings, facts, "ESMTP") {}

  void greet(FrontOutput& out) override { out.send += greeting(); }
  size_t feed(std::string_view input, FrontOutput& out) override;
  void answer(const Answer& answer, FrontOutput& out) override;
  void on_tls(FrontOutput& out) override;
  void set_facts(const ConnectionFacts& facts) override { facts_ = facts; }
  void notice(std::string_view, FrontOutput&) override {}
  void goodbye(std::string_view text, Parting why, FrontOutput& out) override { part(text, why, out); }
  ProtocolFacts told_to_back() const override { return told(); }

 private:
  enum class Phase : uint8_t {
    Command,    // reads commands
    Response,   // the next line is a SASL response
    Auth,       // auth or a backend decides
    Handshake,  // TLS begins
  };

  // SUB-12
  struct Verb {
    std::string_view name;
    void (SubmissionFront::*run)(std::string_view parameters, FrontOutput& out);
    bool before_tls = false;  // also where TLS is required; AUTH and BDAT look for themselves
  };
  static constexpr size_t kVerbCount = 13;
  static const std::array<Verb, kVerbCount> kVerbs;

  bool needs_tls() const { return settings_.tls_required && !facts_.secured; }

  size_t line_limit(std::string_view rest) const;
  void too_long(FrontOutput& out);
  void accepted(const Answer& answer, FrontOutput& out);
  void refused_by_backend(std::string_view reply, FrontOutput& out);
  void command(std::string_view line, FrontOutput& out);
  void response(std::string_view line, FrontOutput& out);

  void ask(FrontRequest request, FrontOutput& out);

  void ehlo(std::string_view parameters, FrontOutput& out);
  void helo(std::string_view parameters, FrontOutput& out);
  void starttls(std::string_view parameters, FrontOutput& out);
  void auth(std::string_view parameters, FrontOutput& out);
  void begin(const std::string& mechanism, std::optional<SecretString> initial, FrontOutput& out);
  void give_up(unsigned code, std::string_view text, FrontOutput& out);
  bool refuses_mechanism(const std::string& mechanism, FrontOutput& out);
  void xclient(std::string_view parameters, FrontOutput& out) { take_xclient(parameters, out); }
  void noop(std::string_view parameters, FrontOutput& out) { answer_noop(parameters, out); }
  void rset(std::string_view parameters, FrontOutput& out);
  void quit(std::string_view parameters, FrontOutput& out) {
    take_quit(parameters, "Aborted login by logging out", out);
  }
  void mail(std::string_view parameters, FrontOutput& out);
  void bdat(std::string_view parameters, FrontOutput& out);

  Phase phase_ = Phase::Command;
  std::string mechanism_;  // of the exchange under way
};

constexpr std::array<SubmissionFront::Verb, SubmissionFront::kVerbCount> SubmissionFront::kVerbs{{
    {"EHLO", &SubmissionFront::ehlo, true},
    {"HELO", &SubmissionFront::helo},
    {"STARTTLS", &SubmissionFront::starttls, true},
    {"AUTH", &SubmissionFront::auth, true},
    {"XCLIENT", &SubmissionFront::xclient},
    {"NOOP", &SubmissionFront::noop, true},
    {"RSET", &SubmissionFront::rset},
    {"QUIT", &SubmissionFront::quit, true},
    {"MAIL", &SubmissionFront::mail},
    {"RCPT", &SubmissionFront::mail},
    {"DATA", &SubmissionFront::mail},
    {"BDAT", &SubmissionFront::bdat, true},
    {"VRFY", &SubmissionFront::mail},
}};

// --- lines -------------------------------------------------------------------------

size_t SubmissionFront::feed(std::string_view input, FrontOutput& out) {
  size_t taken = 0;
  while (!over_ && (phase_ == Phase::Command || phase_ == Phase::Response)) {
    taken += cutter_.skip(input.substr(taken));
    const std::string_view rest = input.substr(taken);
    const Line line = cutter_.next(rest, line_limit(rest));
    if (line.status == Line::Status::Incomplete) break;
    taken += line.status == Line::Status::TooLong ? cutter_.skip(rest) : line.taken;
    if (line.status == Line::Status::TooLong) too_long(out);
    else if (phase_ == Phase::Response) response(line.text, out);
    else command(line.text, out);
    if (out.request.index() != 0) break;
  }
  return taken;
}

// Only a SASL response may be longer than a command (SUB-3; RFC 4954 section 4).
size_t SubmissionFront::line_limit(std::string_view rest) const {
  if (phase_ == Phase::Response) return settings_.sasl_line_limit(mechanism_);
  const size_t usual = command_limit(rest, settings_.max_line);
  const std::string_view head = rest.substr(0, usual);
  constexpr std::string_view kAuth = "AUTH ";
  if (!istarts_with(head, kAuth)) return usual;
  const size_t end = std::min(head.find_first_of(" \n", kAuth.size()), head.size());
  if (end == head.size() || head[end] == '\n' || end == kAuth.size()) return usual;
  return std::max(usual, end + 1 + settings_.sasl_line_limit(to_upper(head.substr(kAuth.size(), end - kAuth.size()))));
}

void SubmissionFront::too_long(FrontOutput& out) {
  const bool in_exchange = phase_ == Phase::Response;
  phase_ = Phase::Command;
  if (in_exchange) return give_up(500, "Line too long", out);  // SUB-24
  say(500, "5.5.2", "Line too long", out);
}

void SubmissionFront::command(std::string_view line, FrontOutput& out) {
  const auto command = parse_command(line);
  if (!command) return say(500, "5.5.2", "Invalid command syntax", out);
  const auto verb = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return v.name == command->verb; });
  if (verb == kVerbs.end()) return say(500, "5.5.1", "Unknown command", out);
  if (needs_tls() && !verb->before_tls) return say(530, "5.7.0", "TLS required.", out);
  (this->*verb->run)(command->parameters, out);
}

// --- replies -----------------------------------------------------------------------

// Who leaves asks for nothing more.
void SubmissionFront::ask(FrontRequest request, FrontOutput& out) {
  if (!over_) out.request = std::move(request);
}

void SubmissionFront::answer(const Answer& answer, FrontOutput& out) {
  if (answer.kind == AnswerKind::Challenge) {
    phase_ = Phase::Response;
    return say(334, "", base64_encode(answer.text), out);
  }
  mechanism_.clear();
  phase_ = Phase::Command;
  if (answer.kind == AnswerKind::BackendRefused) return refused_by_backend(answer.text, out);
  const AnswerRow* row = answer_row(answer.kind);
  if (row == nullptr) return accepted(answer, out);
  const std::string text = answer.text.empty() ? std::string(row->text) : printable(answer.text, kMaxText);
  if (row->leaves) return close(row->enhanced, text, row->text, out);
  say(row->code, row->enhanced, text, out);
}

void SubmissionFront::accepted(const Answer& answer, FrontOutput& out) {
  over_ = true;
  out.send += answer.kind == AnswerKind::BackendAccepted ? answer.backend.line + "\r\n"
                                                         : format_reply(235, "2.7.0", "Logged in.");
}

// The back made it fit to be passed on. A 421 says that the channel closes, so it does.
void SubmissionFront::refused_by_backend(std::string_view reply, FrontOutput& out) {
  (out.send += reply) += "\r\n";
  if (!reply.starts_with("421")) return;
  over_ = true;
  out.request = Farewell{"Server closes the channel"};
}

// --- EHLO and TLS --------------------------------------------------------------------

void SubmissionFront::ehlo(std::string_view name, FrontOutput& out) {
  if (meet(name, "ESMTP", out)) out.send += format_lines(250, ehlo_lines(settings_, facts_));
}

void SubmissionFront::helo(std::string_view name, FrontOutput& out) {
  if (meet(name, "SMTP", out)) out.send += format_lines(250, {settings_.hostname});
}

void SubmissionFront::starttls(std::string_view parameters, FrontOutput& out) {
  if (begin_tls(parameters, out)) phase_ = Phase::Handshake;
}

void SubmissionFront::on_tls(FrontOutput&) {
  forget_clear_text();
  if (phase_ == Phase::Handshake) phase_ = Phase::Command;
}

// --- AUTH (SUB-19 to SUB-25) -----------------------------------------------------------

void SubmissionFront::auth(std::string_view parameters, FrontOutput& out) {
  const auto words = split_words(parameters);
  const std::string mechanism = words.empty() ? std::string() : to_upper(words.front());
  if (needs_tls()) return void(refuses_mechanism(mechanism, out));
  if (words.empty()) return say(501, "5.5.4", "Missing SASL mechanism parameter", out);
  if (words.size() > 2) return say(501, "5.5.4", "Invalid parameters", out);
  if (refuses_mechanism(mechanism, out)) return;
  if (words.size() == 1) return begin(mechanism, std::nullopt, out);
  auto initial = words[1] == "=" ? SecretString() : base64_decode_secret(words[1]);
  if (initial) return begin(mechanism, std::move(initial), out);
  say(501, "5.5.2", "Invalid base64 data in initial response", out);
  ask(PolicyRefusal{refusal::kBadEncoding, true, mechanism}, out);
}

void SubmissionFront::begin(const std::string& mechanism, std::optional<SecretString> initial, FrontOutput& out) {
  mechanism_ = mechanism;
  phase_ = Phase::Auth;
  out.request = AuthBegin{mechanism, std::move(initial)};
}

bool SubmissionFront::refuses_mechanism(const std::string& mechanism, FrontOutput& out) {
  const SaslRuling ruling = rule_on(mechanism, settings_, facts_);
  if (ruling == SaslRuling::Allowed) return false;
  const RulingRow& row = kRulings[static_cast<size_t>(ruling)];
  say(row.code, row.enhanced, row.text, out);
  ask(PolicyRefusal{row.reason, true, mechanism}, out);
  return true;
}

void SubmissionFront::response(std::string_view line, FrontOutput& out) {
  phase_ = Phase::Command;
  if (line == "*") return give_up(501, "Authentication aborted by client.", out);
  if (!is_ascii_text(line)) return give_up(500, "Invalid AUTH response syntax", out);
  if (auto data = base64_decode_secret(line)) {
    phase_ = Phase::Auth;
    out.request = AuthResponse{std::move(*data)};
    return;
  }
  say(501, "5.5.2", "Invalid base64 in response", out);
  ask(PolicyRefusal{refusal::kBadEncoding, true, std::exchange(mechanism_, {})}, out);
}

void SubmissionFront::give_up(unsigned code, std::string_view text, FrontOutput& out) {
  mechanism_.clear();
  say(code, "5.5.2", text, out);
  ask(AuthAbort{}, out);
}

// --- the other commands ------------------------------------------------------------------

void SubmissionFront::rset(std::string_view parameters, FrontOutput& out) {
  if (takes_no_parameters(parameters, out)) say(250, "2.0.0", "OK", out);
}

void SubmissionFront::mail(std::string_view, FrontOutput& out) { say(530, "5.7.0", "Authentication required.", out); }

// The chunk follows whatever we say: it is no command (SUB-13, RFC 3030).
void SubmissionFront::bdat(std::string_view parameters, FrontOutput& out) {
  if (const auto chunk = parse_chunk(parameters)) cutter_.discard(chunk->size);
  say(530, "5.7.0", needs_tls() ? "TLS required." : "Authentication required.", out);
}

}  // namespace

std::unique_ptr<Front> make_submission_front(const FrontSettings& settings, const ConnectionFacts& facts) {
  return std::make_unique<SubmissionFront>(settings, facts);
}

}  // namespace postern::smtp
