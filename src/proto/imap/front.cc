#include "proto/imap/front.h"

#include <array>

#include "base/base64.h"
#include "base/text.h"
#include "proto/imap/capability.h"
#include "proto/imap/id.h"
#include "proto/imap/strings.h"
#include "proto/sasl_policy.h"

namespace postern::imap {

namespace {

constexpr std::string_view kBadCommand = "Error in IMAP command received by server.";

Scanner::Limits scanner_limits(const FrontSettings& settings) {
  return {settings.max_line,      settings.max_literal, settings.max_literal, 2 * size_t{settings.max_id_pairs} + 8,
          settings.literal_minus, settings.max_tag};
}

class ImapFront final : public Front {
 public:
  ImapFront(const FrontSettings& settings, const ConnectionFacts& facts)
      : settings_(settings), facts_(facts), scanner_(scanner_limits(settings)) {}

  void greet(FrontOutput& out) override;
  size_t feed(std::string_view input, FrontOutput& out) override;
  void answer(const Answer& answer, FrontOutput& out) override;
  void on_tls(FrontOutput&) override { scanner_.restart(); }
  void set_facts(const ConnectionFacts& facts) override { facts_ = facts; }
  void notice(std::string_view text, FrontOutput& out) override;
  void goodbye(std::string_view text, Parting why, FrontOutput& out) override;
  bool asked_capabilities() const override { return asked_capabilities_; }

 private:
  struct Command {
    std::string_view name;
    ArgumentStyle style;
    void (ImapFront::*run)(FrontOutput&);
  };
  static const Command kCommands[];
  static const Command kUnknown;
  static const Command kSaslLine;
  static const Command* find_command(std::string_view name);

  using EventHandler = void (ImapFront::*)(FrontOutput&);
  static const EventHandler kEvents[];
  static const EventHandler kFaults[];

  void on_name(FrontOutput& out);
  void on_mechanism(FrontOutput& out);
  void on_literal(FrontOutput& out) { out.send += "+ OK\r\n"; }
  void on_complete(FrontOutput& out);
  void on_fault(FrontOutput& out) { (this->*kFaults[static_cast<size_t>(scanner_.fault())])(out); }
  void on_nothing(FrontOutput&) {}

  void on_bad_tag(FrontOutput& out);
  void on_syntax_error(FrontOutput& out);
  void on_full(FrontOutput& out);
  void on_large_literal(FrontOutput& out);
  void on_large_nonsync(FrontOutput& out);
  void on_large_sasl(FrontOutput& out) { out.request = Farewell{"Authentication response too large"}; }

  void capability(FrontOutput& out);
  void noop(FrontOutput& out) { reply(out, "OK NOOP completed."); }
  void logout(FrontOutput& out);
  void enable(FrontOutput& out);
  void starttls(FrontOutput& out);
  void id(FrontOutput& out);
  void login(FrontOutput& out);
  void authenticate(FrontOutput& out);
  void sasl_line(FrontOutput& out);
  void unknown(FrontOutput& out);

  void first_id(const std::vector<IdPair>& pairs, FrontOutput& out);
  bool refused_by_policy(const std::string& mechanism, FrontOutput& out);
  void begin(std::string mechanism, std::string_view initial, FrontOutput& out);
  void refuse(std::string_view text, std::string_view reason, std::string mechanism, FrontOutput& out);
  void bad(FrontOutput& out);
  void reply(FrontOutput& out, std::string_view text) { (((out.send += tag_) += ' ') += text) += "\r\n"; }
  void bye(std::string_view text, std::string_view reason, FrontOutput& out);

  const FrontSettings& settings_;
  ConnectionFacts facts_;
  Scanner scanner_;
  const Command* command_ = nullptr;  // the command whose arguments are being read
  std::string tag_;                   // of the command being run or answered
  std::string mechanism_;             // of the authentication under way
  unsigned bad_commands_ = 0;
  bool asked_capabilities_ = false;  // IMAP-11
  bool starttls_used_ = false;       // IMAP-11
  bool id_seen_ = false;             // IMAP-52
};

const ImapFront::Command ImapFront::kCommands[] = {
    {"AUTHENTICATE", ArgumentStyle::Sasl, &ImapFront::authenticate},
    {"CAPABILITY", ArgumentStyle::Ignored, &ImapFront::capability},
    {"ENABLE", ArgumentStyle::Ignored, &ImapFront::enable},
    {"ID", ArgumentStyle::Parsed, &ImapFront::id},
    {"LOGIN", ArgumentStyle::Parsed, &ImapFront::login},
    {"LOGOUT", ArgumentStyle::Ignored, &ImapFront::logout},
    {"NOOP", ArgumentStyle::Ignored, &ImapFront::noop},
    {"STARTTLS", ArgumentStyle::Ignored, &ImapFront::starttls},
};
const ImapFront::Command ImapFront::kUnknown = {"", ArgumentStyle::Ignored, &ImapFront::unknown};
const ImapFront::Command ImapFront::kSaslLine = {"", ArgumentStyle::Sasl, &ImapFront::sasl_line};

const ImapFront::Command* ImapFront::find_command(std::string_view name) {
  for (const Command& command : kCommands)
    if (iequals(command.name, name)) return &command;
  return &kUnknown;
}

const ImapFront::EventHandler ImapFront::kEvents[] = {
    &ImapFront::on_nothing, &ImapFront::on_name,     &ImapFront::on_mechanism,
    &ImapFront::on_literal, &ImapFront::on_complete, &ImapFront::on_fault,
};

const ImapFront::EventHandler ImapFront::kFaults[] = {
    &ImapFront::on_nothing,       &ImapFront::on_bad_tag,       &ImapFront::on_syntax_error, &ImapFront::on_full,
    &ImapFront::on_large_literal, &ImapFront::on_large_nonsync, &ImapFront::on_large_sasl,
};

void ImapFront::greet(FrontOutput& out) {
  out.send += "* OK [CAPABILITY ";
  append_capabilities(out.send, settings_, facts_);
  ((out.send += "] ") += settings_.greeting) += "\r\n";
}

size_t ImapFront::feed(std::string_view input, FrontOutput& out) {
  static_assert(sizeof kEvents / sizeof kEvents[0] == static_cast<size_t>(Scanner::Event::kCount));
  static_assert(sizeof kFaults / sizeof kFaults[0] == static_cast<size_t>(Scanner::Fault::kCount));
  size_t taken = 0;
  while (std::holds_alternative<std::monostate>(out.request)) {
    size_t more = 0;
    const Scanner::Event event = scanner_.feed(input.substr(taken), more);
    taken += more;
    if (event == Scanner::Event::More) break;
    (this->*kEvents[static_cast<size_t>(event)])(out);
  }
  return taken;
}

void ImapFront::answer(const Answer& answer, FrontOutput& out) {
  const std::string_view farewell = append_answer(out.send, tag_, answer, asked_capabilities_);
  if (!farewell.empty()) out.request = Farewell{farewell};
  if (answer.kind != AnswerKind::Challenge) return;
  command_ = &kSaslLine;
  scanner_.expect_line(settings_.sasl_line_limit(mechanism_));
}

void ImapFront::notice(std::string_view text, FrontOutput& out) { ((out.send += "* OK ") += text) += "\r\n"; }

void ImapFront::goodbye(std::string_view text, Parting why, FrontOutput& out) {
  (((out.send += "* BYE ") += why == Parting::Unavailable ? "[UNAVAILABLE] " : "") += text) += "\r\n";
}

// --- what the scanner tells ----------------------------------------------------

void ImapFront::on_name(FrontOutput&) {
  tag_ = scanner_.tag();
  command_ = find_command(scanner_.name());
  scanner_.choose(command_->style);
}

void ImapFront::on_mechanism(FrontOutput&) {
  scanner_.limit_sasl(settings_.sasl_line_limit(to_upper(scanner_.argument(0))));
}

// The arguments may be a password: they live no longer than the command.
void ImapFront::on_complete(FrontOutput& out) {
  (this->*command_->run)(out);
  scanner_.restart();
}

void ImapFront::on_bad_tag(FrontOutput& out) {
  tag_ = "*";
  bad(out);
}

void ImapFront::on_syntax_error(FrontOutput& out) { reply(out, "BAD " + std::string(scanner_.syntax_error())); }
void ImapFront::on_full(FrontOutput& out) { bye("Input buffer full, aborting", "Input buffer full", out); }
void ImapFront::on_large_literal(FrontOutput& out) { bye("Literal size too large", "Literal size too large", out); }
void ImapFront::on_large_nonsync(FrontOutput& out) {
  bye("Non-synchronizing literal size too large", "Non-synchronizing literal size too large", out);
}

// --- commands --------------------------------------------------------------------

void ImapFront::capability(FrontOutput& out) {
  if (!starttls_used_) asked_capabilities_ = true;
  out.send += "* CAPABILITY ";
  append_capabilities(out.send, settings_, facts_);
  out.send += "\r\n";
  reply(out, "OK Pre-login capabilities listed, post-login capabilities have more.");
}

void ImapFront::logout(FrontOutput& out) {
  bye("Logging out", "Aborted login by logging out", out);
  reply(out, "OK Logout completed.");
}

void ImapFront::enable(FrontOutput& out) {
  out.send += "* ENABLED\r\n";
  reply(out, "OK ENABLE ignored in non-authenticated state.");
}

void ImapFront::starttls(FrontOutput& out) {
  if (facts_.tls_active) return reply(out, "BAD TLS is already active.");
  if (!facts_.tls_available) return reply(out, "BAD TLS support isn't enabled.");
  starttls_used_ = true;
  reply(out, "OK Begin TLS negotiation now.");
  out.request = BeginTls{};
}

void ImapFront::id(FrontOutput& out) {
  const auto pairs = read_id(scanner_, settings_.max_id_pairs);
  if (!pairs) return reply(out, "BAD Invalid ID parameters");
  if (!id_seen_) first_id(*pairs, out);
  id_seen_ = true;
  ((out.send += "* ID ") += id_reply(settings_)) += "\r\n";
  reply(out, "OK ID completed.");
}

void ImapFront::first_id(const std::vector<IdPair>& pairs, FrontOutput& out) {
  if (!settings_.id_log.empty())
    if (auto text = id_log_text(pairs, settings_.id_log)) out.log_notes.push_back("ID sent: " + *text);
  IdFacts told = id_facts(pairs, facts_.trusted, settings_.id_retain ? settings_.max_retained : 0);
  if (told.anything) out.request = std::move(told.facts);
}

void ImapFront::login(FrontOutput& out) {
  const bool astrings = scanner_.argument_count() == 2 && scanner_.kind(0) <= ArgumentKind::String &&
                        scanner_.kind(1) <= ArgumentKind::String;
  if (!astrings) return bad(out);
  if (!may_send_password(settings_, facts_)) {
    out.send +=
        "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. "
        "If anyone was listening, the password was exposed.\r\n";
    return refuse("NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
                  refusal::kPlaintextDisabled, "", out);
  }
  if (settings_.mechanism("PLAIN") == nullptr)
    return refuse("NO [ALERT] Unsupported authentication mechanism.", refusal::kUnsupportedMechanism, "PLAIN", out);
  static constexpr std::string_view kNul("\0", 1);
  SecretString initial(kNul);
  initial.append(scanner_.argument(0));
  initial.append(kNul);
  initial.append(scanner_.argument(1));
  mechanism_ = "PLAIN";
  out.request = AuthBegin{mechanism_, std::move(initial)};
}

void ImapFront::authenticate(FrontOutput& out) {
  std::string mechanism = to_upper(scanner_.argument(0));
  if (mechanism.empty()) return bad(out);
  if (refused_by_policy(mechanism, out)) return;
  begin(std::move(mechanism), scanner_.argument_count() > 1 ? scanner_.argument(1) : std::string_view(), out);
}

bool ImapFront::refused_by_policy(const std::string& mechanism, FrontOutput& out) {
  struct Words {
    std::string_view reply, reason;
  };
  static constexpr Words kWords[] = {
      {"", ""},
      {"NO [PRIVACYREQUIRED] Authentication not allowed until SSL/TLS is enabled.", refusal::kTlsRequired},
      {"NO [ALERT] Unsupported authentication mechanism.", refusal::kUnsupportedMechanism},
      {"NO [PRIVACYREQUIRED] Plaintext authentication disabled.", refusal::kPlaintextDisabled},
  };
  const SaslRuling ruling = rule_on(mechanism, settings_, facts_);
  if (ruling == SaslRuling::Allowed) return false;
  const Words& words = kWords[static_cast<size_t>(ruling)];
  refuse(words.reply, words.reason, mechanism, out);
  return true;
}

// IMAP-65: no response and an empty one ("=") differ.
void ImapFront::begin(std::string mechanism, std::string_view initial, FrontOutput& out) {
  AuthBegin request{mechanism, std::nullopt};
  if (initial == "=") {
    request.initial.emplace();
  } else if (!initial.empty()) {
    request.initial = base64_decode_secret(initial);
    if (!request.initial)
      return refuse("BAD Invalid base64 data in initial response", refusal::kBadEncoding, std::move(mechanism), out);
  }
  mechanism_ = std::move(mechanism);
  out.request = std::move(request);
}

void ImapFront::sasl_line(FrontOutput& out) {
  const std::string_view line = scanner_.argument(0);
  if (line == "*") {
    reply(out, "BAD Authentication aborted by client.");
    out.request = AuthAbort{};
    return;
  }
  auto data = base64_decode_secret(line);
  if (!data) return refuse("NO [ALERT] Invalid base64 in response", refusal::kBadEncoding, mechanism_, out);
  out.request = AuthResponse{std::move(*data)};
}

// IMAP-20: who forgets the tag gets told so.
void ImapFront::unknown(FrontOutput& out) {
  if (!iequals(tag_, "LOGIN")) return bad(out);
  reply(out,
        "BAD First parameter in line is IMAP's command tag, not the command name. "
        "Add that before the command, like: a login user pass");
}

void ImapFront::refuse(std::string_view text, std::string_view reason, std::string mechanism, FrontOutput& out) {
  reply(out, text);
  out.request = PolicyRefusal{reason, true, printable(mechanism, 64)};
}

void ImapFront::bad(FrontOutput& out) {
  if (++bad_commands_ >= settings_.max_bad_commands)
    return bye("Too many invalid IMAP commands.", "Too many invalid commands", out);
  reply(out, "BAD " + std::string(kBadCommand));
}

void ImapFront::bye(std::string_view text, std::string_view reason, FrontOutput& out) {
  ((out.send += "* BYE ") += text) += "\r\n";
  out.request = Farewell{reason};
}

}  // namespace

std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts) {
  return std::make_unique<ImapFront>(settings, facts);
}

}  // namespace postern::imap
