#include "proto/pop3/front.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "proto/line_reader.h"
#include "proto/pop3/answers.h"
#include "proto/sasl_policy.h"
#include "proto/xclient.h"

namespace postern::pop3 {

namespace {

constexpr std::string_view kPlaintextRefused =
    "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\r\n";
constexpr std::string_view kTlsRequired = "-ERR [AUTH] Authentication not allowed until SSL/TLS is enabled.\r\n";
constexpr size_t kApopDigest = 32;

// --- lines -------------------------------------------------------------------------

// "AUTH MECH response" cut at single blanks; what is not there is empty.
struct Words {
  std::string_view name, arguments;
};
Words first_word(std::string_view line) {
  const size_t blank = std::min(line.find(' '), line.size());
  return {line.substr(0, blank), line.substr(std::min(blank + 1, line.size()))};
}

// --- the front -----------------------------------------------------------------------

class Pop3Front : public Front {
 public:
  Pop3Front(const FrontSettings& settings, const ConnectionFacts& facts) : settings_(settings), facts_(facts) {
    if (settings.wants_stamp) challenge_ = "<" + facts.stamp + "@" + settings.hostname + ">";
  }

  void greet(FrontOutput& out) override {
    out.send += facts_.trusted ? "+OK [XCLIENT] " : "+OK ";
    out.send += settings_.greeting + (challenge_.empty() ? "" : " " + challenge_) + "\r\n";
  }

  size_t feed(std::string_view input, FrontOutput& out) override {
    size_t taken = 0;
    while (phase_ == Phase::Command || phase_ == Phase::Response) {
      const std::string_view rest = input.substr(taken);
      const Line line = next_line(rest, line_limit(rest));
      if (line.status == Line::Status::Incomplete) break;
      if (line.status == Line::Status::TooLong) {
        too_long(rest, out);
        break;
      }
      taken += line.taken;
      if (phase_ == Phase::Response) response(line.text, out);
      else command(line.text, out);
      if (out.request.index() != 0) break;
    }
    return taken;
  }

  void answer(const Answer& answer, FrontOutput& out) override {
    if (answer.kind == AnswerKind::Challenge) return challenge(answer.text, out);
    mechanism_.clear();
    const std::string_view farewell = append_answer(out.send, answer);
    phase_ = is_success(answer.kind) ? Phase::Over : Phase::Command;
    if (!farewell.empty()) leave(farewell, out);
  }

  void on_tls(FrontOutput&) override {
    user_.reset();
    if (phase_ == Phase::Handshake) phase_ = Phase::Command;
  }
  void set_facts(const ConnectionFacts& facts) override { facts_ = facts; }
  void notice(std::string_view, FrontOutput&) override {}
  void goodbye(std::string_view text, Parting why, FrontOutput& out) override {
    out.send += why == Parting::Unavailable ? "-ERR [SYS/TEMP] " : "-ERR ";
    out.send += printable(text, kMaxText) + "\r\n";
    phase_ = Phase::Over;
  }

 private:
  enum class Phase : uint8_t {
    Command,    // reads commands
    Response,   // the next line is a SASL response
    Auth,       // auth or a backend decides
    Handshake,  // TLS begins
    Over,       // logged in or leaving
  };

  struct Command {
    std::string_view name;
    void (Pop3Front::*run)(std::string_view arguments, FrontOutput& out);
  };
  static constexpr size_t kCommandCount = 9;
  static const std::array<Command, kCommandCount> kCommands;

  // --- lines ---

  size_t sasl_limit(std::string_view mechanism) const { return settings_.sasl_line_limit(to_upper(mechanism)); }

  // Only an initial response may be longer than a command (POP-11).
  size_t line_limit(std::string_view rest) const {
    if (phase_ == Phase::Response) return sasl_limit(mechanism_);
    const size_t before = initial_response_at(rest);
    if (before == 0) return settings_.max_line;
    return std::max(settings_.max_line, before + sasl_limit(first_word(rest.substr(5)).name));
  }
  // Where the initial response of "AUTH MECH " begins; 0 when `rest` is something else or not so far yet.
  size_t initial_response_at(std::string_view rest) const {
    const std::string_view head = rest.substr(0, settings_.max_line);
    if (!istarts_with(head, "AUTH ")) return 0;
    const size_t blank = head.find_first_of(" \n", 5);
    return blank == std::string_view::npos || head[blank] == '\n' ? 0 : blank + 1;
  }

  void too_long(std::string_view rest, FrontOutput& out) {
    if (phase_ == Phase::Response || initial_response_at(rest) > 0)
      return leave("Authentication response too large", out);
    out.send += "-ERR Input buffer full, aborting\r\n";
    leave("Input buffer full", out);
  }

  void command(std::string_view line, FrontOutput& out) {
    const Words words = first_word(line);
    for (const Command& known : kCommands) {
      if (!iequals(known.name, words.name)) continue;
      bad_commands_ = 0;
      return (this->*known.run)(words.arguments, out);
    }
    out.send += "-ERR Unknown command.\r\n";
    if (++bad_commands_ < settings_.max_bad_commands) return;
    out.send += "-ERR Too many invalid bad commands.\r\n";
    leave("Too many invalid commands", out);
  }

  void leave(std::string_view reason, FrontOutput& out) {
    phase_ = Phase::Over;
    out.request = Farewell{reason};
  }

  // --- capabilities and TLS ---

  std::string fixed_capabilities() const {
    static constexpr std::string_view kBuiltIn = "CAPA TOP UIDL RESP-CODES PIPELINING AUTH-RESP-CODE";
    const std::string& set = settings_.capability;
    if (set.empty()) return std::string(kBuiltIn);
    return set[0] == '+' ? std::string(kBuiltIn) + " " + set.substr(1) : set;
  }

  void capa(std::string_view, FrontOutput& out) {
    out.send += "+OK\r\n";
    const std::string names = fixed_capabilities();
    for (std::string_view name : split_words(names)) out.send += std::string(name) + "\r\n";
    if (facts_.tls_available && !facts_.tls_active) out.send += "STLS\r\n";
    if (may_send_password(settings_, facts_)) out.send += "USER\r\n";
    out.send += "SASL" + offered_mechanisms(settings_, facts_) + "\r\n.\r\n";
  }

  void stls(std::string_view, FrontOutput& out) {
    if (facts_.tls_active) {
      out.send += "-ERR TLS is already active.\r\n";
    } else if (!facts_.tls_available) {
      out.send += "-ERR TLS support isn't enabled.\r\n";
    } else {
      out.send += "+OK Begin TLS negotiation now.\r\n";
      phase_ = Phase::Handshake;
      out.request = BeginTls{};
    }
  }

  void quit(std::string_view, FrontOutput& out) {
    out.send += "+OK Logging out\r\n";
    leave("Aborted login by logging out", out);
  }

  // --- USER and PASS ---

  bool refuses_password(FrontOutput& out) {
    if (may_send_password(settings_, facts_)) return false;
    out.send += kPlaintextRefused;
    out.request = PolicyRefusal{"Plaintext authentication disabled", true, {}};
    return true;
  }

  void user(std::string_view arguments, FrontOutput& out) {
    if (refuses_password(out)) return;
    user_ = std::string(arguments);
    out.send += "+OK\r\n";
  }

  void pass(std::string_view arguments, FrontOutput& out) {
    if (refuses_password(out)) return;
    if (!user_) {
      out.send += "-ERR No username given.\r\n";
      return;
    }
    constexpr std::string_view kNul("\0", 1);
    SecretString initial(kNul);
    initial.append(*std::exchange(user_, std::nullopt));
    initial.append(kNul);
    initial.append(arguments);
    begin("PLAIN", std::move(initial), out);
  }

  void begin(std::string mechanism, std::optional<SecretString> initial, FrontOutput& out) {
    mechanism_ = mechanism;
    phase_ = Phase::Auth;
    out.request = AuthBegin{std::move(mechanism), std::move(initial)};
  }

  // --- AUTH ---

  void auth(std::string_view arguments, FrontOutput& out) {
    const Words words = first_word(arguments);
    if (words.name.empty()) return list_mechanisms(out);
    std::string mechanism = to_upper(words.name);
    if (refuses_mechanism(mechanism, out)) return;
    if (words.arguments.empty()) return begin(std::move(mechanism), std::nullopt, out);
    auto initial = words.arguments == "=" ? SecretString() : base64_decode_secret(words.arguments);
    if (!initial) return refuse(AnswerKind::BadEncodingInitial, mechanism, out);
    begin(std::move(mechanism), std::move(initial), out);
  }

  void list_mechanisms(FrontOutput& out) const {
    out.send += "+OK\r\n";
    for (const auto& mechanism : settings_.mechanisms)
      if (is_offered(mechanism, settings_, facts_)) out.send += mechanism.name + "\r\n";
    out.send += ".\r\n";
  }

  bool refuses_mechanism(const std::string& mechanism, FrontOutput& out) {
    struct Words {
      std::string_view reply, reason;
    };
    static constexpr Words kWords[] = {
        {"", ""},
        {kTlsRequired, "SSL required for authentication"},
        {"-ERR [AUTH] Unsupported authentication mechanism.\r\n", refusal::kUnsupportedMechanism},
        {"-ERR [AUTH] Plaintext authentication disabled.\r\n", refusal::kPlaintextDisabled},
    };
    const SaslRuling ruling = rule_on(mechanism, settings_, facts_);
    if (ruling == SaslRuling::Allowed) return false;
    const Words& words = kWords[static_cast<size_t>(ruling)];
    out.send += words.reply;
    out.request = PolicyRefusal{words.reason, true, mechanism};
    return true;
  }

  void refuse(AnswerKind kind, std::string mechanism, FrontOutput& out) {
    out.request = PolicyRefusal{append_refusal(out.send, kind), true, std::move(mechanism)};
  }

  void challenge(const std::string& bytes, FrontOutput& out) {
    out.send += "+ " + base64_encode(bytes) + "\r\n";
    phase_ = Phase::Response;
  }

  void response(std::string_view line, FrontOutput& out) {
    auto data = base64_decode_secret(line);
    if (data) {
      phase_ = Phase::Auth;
      out.request = AuthResponse{std::move(*data)};
      return;
    }
    if (line == "*") out.send += "-ERR Authentication aborted by client.\r\n";
    else append_refusal(out.send, AnswerKind::BadEncodingResponse);
    mechanism_.clear();
    phase_ = Phase::Command;
    out.request = AuthAbort{};
  }

  // "APOP user 32hex"; with the challenge of the greeting all that auth needs (POP-10).
  void apop(std::string_view arguments, FrontOutput& out) {
    if (challenge_.empty()) return apop_refused("-ERR APOP not enabled.\r\n", out);
    const size_t blank = arguments.rfind(' ');
    if (blank == std::string_view::npos || blank == 0) return apop_refused("-ERR Invalid parameters.\r\n", out);
    const std::string_view digest = arguments.substr(blank + 1);
    if (digest.size() != kApopDigest || digest.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      return apop_refused("-ERR Invalid characters in MD5 response.\r\n", out);
    if (settings_.tls_required && !facts_.secured) return refuse_before_tls("APOP", out);
    constexpr std::string_view kNul("\0", 1);
    SecretString initial(challenge_);
    for (const std::string_view part : {kNul, arguments.substr(0, blank), kNul, digest}) initial.append(part);
    begin("APOP", std::move(initial), out);
  }

  static void apop_refused(std::string_view reply, FrontOutput& out) { out.send += reply; }

  void refuse_before_tls(std::string mechanism, FrontOutput& out) {
    out.send += kTlsRequired;
    out.request = PolicyRefusal{"SSL required for authentication", true, std::move(mechanism)};
  }

  // --- trusted peers ---

  void xclient(std::string_view arguments, FrontOutput& out) {
    if (!facts_.trusted) {
      out.send += "+OK You are not from trusted IP - ignoring\r\n";
      return;
    }
    Xclient told_facts = parse_xclient(arguments);
    out.send += told_facts.valid ? "+OK Updated\r\n" : "-ERR Invalid parameters\r\n";
    out.request = std::move(told_facts.facts);
  }
  void xoip(std::string_view arguments, FrontOutput& out) {
    xclient("ADDR=" + std::string(first_word(arguments).name), out);
  }

  const FrontSettings& settings_;
  ConnectionFacts facts_;
  Phase phase_ = Phase::Command;
  unsigned bad_commands_ = 0;
  std::optional<std::string> user_;  // from USER until PASS
  std::string mechanism_;            // of the exchange under way
  std::string challenge_;            // APOP's, in the greeting; empty: not enabled
};

constexpr std::array<Pop3Front::Command, Pop3Front::kCommandCount> Pop3Front::kCommands{{
    {"CAPA", &Pop3Front::capa},
    {"USER", &Pop3Front::user},
    {"PASS", &Pop3Front::pass},
    {"AUTH", &Pop3Front::auth},
    {"STLS", &Pop3Front::stls},
    {"QUIT", &Pop3Front::quit},
    {"APOP", &Pop3Front::apop},
    {"XCLIENT", &Pop3Front::xclient},
    {"XOIP", &Pop3Front::xoip},
}};

}  // namespace

std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts) {
  return std::make_unique<Pop3Front>(settings, facts);
}

}  // namespace postern::pop3
