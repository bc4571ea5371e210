#include "proto/sieve/front.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "proto/sasl_policy.h"
#include "proto/sieve/answers.h"
#include "proto/sieve/scan.h"
#include "proto/xclient.h"

namespace postern::sieve {

namespace {

// A literal of a command that is refused is skipped up to this size (SIEVE-14).
constexpr uint64_t kMaxSkipped = 64 * 1024;
// What stands around a response: quotes, or the head of a literal and line ends.
constexpr size_t kAround = 32;

using Arguments = std::vector<Argument>;

class SieveFront : public Front {
 public:
  SieveFront(const FrontSettings& settings, const ConnectionFacts& facts) : settings_(settings), facts_(facts) {}

  void greet(FrontOutput& out) override { capabilities(settings_.greeting, out); }

  size_t feed(std::string_view input, FrontOutput& out) override {
    size_t taken = 0;
    while (phase_ <= Phase::SkipLine) {
      const size_t n = (this->*kReaders[static_cast<size_t>(phase_)])(input.substr(taken), out);
      taken += n;
      if (n == 0 || out.request.index() != 0) break;
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

  void on_tls(FrontOutput& out) override {
    if (phase_ == Phase::Handshake) phase_ = Phase::Command;
    capabilities("TLS negotiation successful.", out);
  }
  void set_facts(const ConnectionFacts& facts) override { facts_ = facts; }
  void notice(std::string_view, FrontOutput&) override {}
  void goodbye(std::string_view text, Parting why, FrontOutput& out) override {
    append_status(out.send, "BYE", why == Parting::Unavailable ? "TRYLATER" : "", text);
    phase_ = Phase::Over;
  }

 private:
  enum class Phase : uint8_t {
    Command,    // reads commands
    Response,   // the next line is a SASL response
    Skip,       // a literal of a refused command
    SkipLine,   // what follows such a literal
    Auth,       // auth or a backend decides
    Handshake,  // TLS begins
    Over,       // logged in or leaving
  };

  // Takes one thing from `input`, returns the bytes taken; 0: it isn't complete.
  using Reader = size_t (SieveFront::*)(std::string_view input, FrontOutput& out);
  static const std::array<Reader, 4> kReaders;

  struct Command {
    std::string_view name;
    size_t least, most;  // arguments
    void (SieveFront::*run)(const Arguments& arguments, FrontOutput& out);
  };
  static const std::array<Command, 6> kCommands;

  // --- reading ---

  size_t read_command(std::string_view input, FrontOutput& out) {
    Scan scan = scan_line(input, settings_.max_line);
    const bool authenticates = is_authenticate(scan);
    if (authenticates && scan.status != Scan::Status::Complete && scan.status != Scan::Status::Broken)
      scan = scan_line(input, settings_.max_line + settings_.sasl_line_limit(to_upper(scan.arguments[1].raw)));
    if (scan.status == Scan::Status::Complete) {
      command(scan.arguments, out);
    } else if (scan.status == Scan::Status::Broken && scan.taken > 0) {
      append_status(out.send, "NO", "", scan.why);
      skip_literal(scan.literal, out);
    } else if (scan.status == Scan::Status::TooLong || scan.status == Scan::Status::BigLiteral) {
      if (authenticates) return leave("Authentication response too large", out), 0;
      if (scan.status == Scan::Status::TooLong) return bye("Input buffer full, aborting", "Input buffer full", out), 0;
      refuse_literal(scan.literal, out);
    }
    return scan.taken;
  }

  // "AUTHENTICATE <mechanism>", whatever follows.
  static bool is_authenticate(const Scan& scan) {
    return scan.arguments.size() >= 2 && iequals(scan.arguments[0].raw, "AUTHENTICATE") &&
           scan.arguments[1].is_string();
  }

  // What the client announced is not to be read as commands (SEC-10).
  void refuse_literal(uint64_t size, FrontOutput& out) {
    if (size > kMaxSkipped) return bye("Literal size too large", "Literal size too large", out);
    bad(out);
    if (phase_ != Phase::Over) skip_literal(size, out);
  }
  void skip_literal(uint64_t size, FrontOutput& out) {
    if (size == 0) return;
    if (size > kMaxSkipped) return bye("Literal size too large", "Literal size too large", out);
    skip_ = size;
    phase_ = Phase::Skip;
  }
  size_t read_skipped(std::string_view input, FrontOutput&) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(skip_, input.size()));
    skip_ -= n;
    if (skip_ == 0) phase_ = Phase::SkipLine;
    return n;
  }
  size_t read_rest_of_line(std::string_view input, FrontOutput& out) {
    const Scan scan = scan_line(input, settings_.max_line);
    if (scan.status == Scan::Status::TooLong) return bye("Input buffer full, aborting", "Input buffer full", out), 0;
    if (scan.taken > 0) phase_ = Phase::Command;
    if (scan.status == Scan::Status::BigLiteral || scan.status == Scan::Status::Broken) skip_literal(scan.literal, out);
    return phase_ == Phase::Over ? 0 : scan.taken;
  }

  void command(const Arguments& words, FrontOutput& out) {
    const Command* known = nullptr;
    if (!words.empty() && words[0].kind == Argument::Kind::Atom)
      for (const Command& c : kCommands)
        if (iequals(c.name, words[0].raw)) known = &c;
    if (known == nullptr || words.size() - 1 < known->least || words.size() - 1 > known->most) return bad(out);
    (this->*known->run)({words.begin() + 1, words.end()}, out);
  }

  // SIEVE-11, SIEVE-12: counted over the whole connection.
  void bad(FrontOutput& out) {
    if (++bad_commands_ >= settings_.max_bad_commands)
      return bye("Too many invalid MANAGESIEVE commands.", "Too many invalid commands", out);
    append_status(out.send, "NO", "", "Error in MANAGESIEVE command received by server.");
  }

  void bye(std::string_view text, std::string_view reason, FrontOutput& out) {
    append_status(out.send, "BYE", "", text);
    leave(reason, out);
  }
  void leave(std::string_view reason, FrontOutput& out) {
    phase_ = Phase::Over;
    out.request = Farewell{reason};
  }

  // --- capabilities and TLS (SIEVE-8 to SIEVE-10, SIEVE-15) ---

  void capability_line(std::string_view name, std::string_view value, FrontOutput& out) const {
    append_string(out.send, name);
    append_string(out.send += ' ', value);
    out.send += "\r\n";
  }

  void capabilities(std::string_view text, FrontOutput& out) const {
    const FrontSettings::Sieve& told = settings_.sieve;
    capability_line("IMPLEMENTATION", told.implementation, out);
    capability_line("SIEVE", told.extensions, out);
    if (!told.notify.empty()) capability_line("NOTIFY", told.notify, out);
    if (!told.extlists.empty()) capability_line("EXTLISTS", told.extlists, out);
    capability_line("SASL", trim(offered_mechanisms(settings_, facts_)), out);
    if (facts_.tls_available && !facts_.tls_active) out.send += "\"STARTTLS\"\r\n";
    capability_line("VERSION", "1.0", out);
    if (facts_.trusted) out.send += "\"XCLIENT\"\r\n";
    append_status(out.send, "OK", "", text);
  }

  void capability(const Arguments&, FrontOutput& out) { capabilities("Capability completed.", out); }

  void starttls(const Arguments&, FrontOutput& out) {
    if (facts_.tls_active) return append_status(out.send, "NO", "", "TLS is already active.");
    if (!facts_.tls_available) return append_status(out.send, "NO", "", "TLS support isn't enabled.");
    append_status(out.send, "OK", "", "Begin TLS negotiation now.");
    phase_ = Phase::Handshake;
    out.request = BeginTls{};
  }

  // --- small commands ---

  void noop(const Arguments& arguments, FrontOutput& out) {
    if (arguments.empty()) return append_status(out.send, "OK", "", "NOOP Completed");
    const std::string value = arguments[0].text();
    if (!arguments[0].is_string() || has_control(value)) return append_status(out.send, "NO", "", "Invalid echo tag.");
    std::string tag;
    append_string(tag, value);
    append_status(out.send, "OK", "TAG " + tag, "Done");
  }

  void logout(const Arguments&, FrontOutput& out) {
    append_status(out.send, "OK", "", "Logout completed.");
    leave("Aborted login by logging out", out);
  }

  // SIEVE-21: all values or none.
  void xclient(const Arguments& arguments, FrontOutput& out) {
    if (!facts_.trusted) return append_status(out.send, "NO", "", "You are not from trusted IP");
    ForwardedFacts told;
    for (const Argument& argument : arguments) {
      const size_t equals = argument.raw.find('=');
      const bool is_pair = argument.kind == Argument::Kind::Atom && equals != std::string_view::npos;
      if (!is_pair || !take_xclient_value(argument.raw.substr(0, equals), argument.raw.substr(equals + 1), told))
        return bad(out);
    }
    append_status(out.send, "OK", "", "Updated");
    out.request = std::move(told);
  }

  // --- AUTHENTICATE (SIEVE-17 to SIEVE-20) ---

  void authenticate(const Arguments& arguments, FrontOutput& out) {
    if (!arguments[0].is_string() || arguments[0].raw.empty()) return bad(out);
    const bool has_initial = arguments.size() > 1;  // what follows is left out, as by 2.3
    if (has_initial && !arguments[1].is_string())
      return append_status(out.send, "NO", "", "Invalid AUTHENTICATE initial response.");
    std::string mechanism = to_upper(arguments[0].text());
    if (refuses_mechanism(mechanism, out)) return;
    std::optional<SecretString> initial;
    if (has_initial) {
      if (arguments[1].raw.size() > settings_.sasl_line_limit(mechanism))
        return leave("Authentication response too large", out);
      initial = base64_decode_secret(arguments[1].raw);
      if (!initial) return refuse(AnswerKind::BadEncodingInitial, refusal::kBadEncoding, std::move(mechanism), out);
    }
    mechanism_ = mechanism;
    phase_ = Phase::Auth;
    out.request = AuthBegin{std::move(mechanism), std::move(initial)};
  }

  bool refuses_mechanism(const std::string& mechanism, FrontOutput& out) {
    struct Words {
      std::string_view code, text, reason;
    };
    static constexpr Words kWords[] = {
        {},
        {"ENCRYPT-NEEDED", "Authentication disallowed on non-secure (SSL/TLS) connections.", refusal::kTlsRequired},
        {"", "Unsupported authentication mechanism.", refusal::kUnsupportedMechanism},
        {"", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", refusal::kPlaintextDisabled},
    };
    const SaslRuling ruling = rule_on(mechanism, settings_, facts_);
    if (ruling == SaslRuling::Allowed) return false;
    const Words& words = kWords[static_cast<size_t>(ruling)];
    append_status(out.send, "NO", words.code, words.text);
    out.request = PolicyRefusal{words.reason, true, printable(mechanism, 64)};
    return true;
  }

  void refuse(AnswerKind kind, std::string_view reason, std::string mechanism, FrontOutput& out) {
    append_answer(out.send, {.kind = kind});
    out.request = PolicyRefusal{reason, true, std::move(mechanism)};
  }

  void challenge(const std::string& bytes, FrontOutput& out) {
    append_string(out.send, base64_encode(bytes));
    out.send += "\r\n";
    phase_ = Phase::Response;
  }

  size_t read_response(std::string_view input, FrontOutput& out) {
    const Scan scan = scan_line(input, settings_.sasl_line_limit(mechanism_) + kAround);
    if (scan.status == Scan::Status::TooLong || scan.status == Scan::Status::BigLiteral)
      return leave("Authentication response too large", out), 0;
    if (scan.taken == 0) return 0;
    const bool is_string =
        scan.status == Scan::Status::Complete && scan.arguments.size() == 1 && scan.arguments[0].is_string();
    if (is_string) response(scan.arguments[0].raw, out);
    else if (scan.status == Scan::Status::Complete && scan.arguments.empty())
      abort("Received empty AUTHENTICATE client response line.", out);
    else abort("Invalid AUTHENTICATE client response.", out);
    if (scan.status == Scan::Status::Broken) skip_literal(scan.literal, out);
    return scan.taken;
  }

  void response(std::string_view text, FrontOutput& out) {
    if (text.size() > settings_.sasl_line_limit(mechanism_)) return leave("Authentication response too large", out);
    if (text == "*") return abort("Authentication aborted by client.", out);
    auto data = base64_decode_secret(text);
    if (!data) {
      phase_ = Phase::Command;
      return refuse(AnswerKind::BadEncodingResponse, refusal::kBadEncoding, std::exchange(mechanism_, {}), out);
    }
    phase_ = Phase::Auth;
    out.request = AuthResponse{std::move(*data)};
  }

  void abort(std::string_view text, FrontOutput& out) {
    append_status(out.send, "NO", "", text);
    mechanism_.clear();
    phase_ = Phase::Command;
    out.request = AuthAbort{};
  }

  const FrontSettings& settings_;
  ConnectionFacts facts_;
  Phase phase_ = Phase::Command;
  unsigned bad_commands_ = 0;
  uint64_t skip_ = 0;
  std::string mechanism_;  // of the exchange under way
};

constexpr std::array<SieveFront::Reader, 4> SieveFront::kReaders{
    &SieveFront::read_command, &SieveFront::read_response, &SieveFront::read_skipped, &SieveFront::read_rest_of_line};

constexpr size_t kAny = SIZE_MAX - 1;
constexpr std::array<SieveFront::Command, 6> SieveFront::kCommands{{
    {"CAPABILITY", 0, 0, &SieveFront::capability},
    {"NOOP", 0, 1, &SieveFront::noop},
    {"LOGOUT", 0, 0, &SieveFront::logout},
    {"STARTTLS", 0, 0, &SieveFront::starttls},
    {"AUTHENTICATE", 1, kAny, &SieveFront::authenticate},
    {"XCLIENT", 0, kAny, &SieveFront::xclient},
}};

}  // namespace

std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts) {
  return std::make_unique<SieveFront>(settings, facts);
}

}  // namespace postern::sieve
