// What submission and LMTP have in common as servers: replies and their limits, greetings, STARTTLS, XCLIENT, NOOP
// (SUB-1 to SUB-18, SUB-33 to SUB-35, LMTP-5 to LMTP-8). `Output` is the front's: FrontOutput or DeliveryOutput.
#ifndef POSTERN_PROTO_SMTP_SERVER_H
#define POSTERN_PROTO_SMTP_SERVER_H

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/text.h"
#include "proto/front.h"
#include "proto/smtp/command.h"
#include "proto/smtp/reply.h"
#include "proto/smtp/xclient.h"

namespace postern::smtp {

inline constexpr size_t kMaxText = 480;  // a reply line stays below RFC 5321's 512

template <class Output>
class Server {
 protected:
  // `protocol`: what clients speak before they have said more (PROTO of XCLIENT).
  Server(const FrontSettings& settings, const ConnectionFacts& facts, std::string_view protocol)
      : settings_(settings), facts_(facts), first_proto_(protocol), proto_(protocol) {}
  ~Server() = default;

  std::string greeting() const { return format_reply(220, "", settings_.hostname + " " + settings_.greeting); }

  // Counts bad commands as it goes (SUB-5).
  void say(unsigned code, std::string_view enhanced, std::string_view text, Output& out) {
    const bool bad = code == 500 || code == 501 || code == 503;
    bad_commands_ = bad ? bad_commands_ + 1 : 0;
    if (bad_commands_ > settings_.max_bad_commands)
      return close("4.7.0", "Too many invalid commands.", "Too many invalid commands", out);
    out.send += format_reply(code, enhanced, text);
  }

  void close(std::string_view enhanced, std::string_view text, std::string_view reason, Output& out) {
    out.send += format_reply(421, enhanced, settings_.hostname + " " + std::string(text));
    over_ = true;
    out.request = Farewell{reason};
  }

  void part(std::string_view text, Parting why, Output& out) {
    static constexpr std::array<std::string_view, 4> kCodes{"4.4.2", "4.3.2", "4.0.0",
                                                            "4.3.0"};  // in the order of Parting
    close(kCodes[static_cast<size_t>(why)], printable(text, kMaxText), {}, out);
    out.request = {};
  }

  bool takes_no_parameters(std::string_view parameters, Output& out) {
    if (!parameters.empty()) say(501, "5.5.4", "Invalid parameters", out);
    return parameters.empty();
  }

  // A name that cannot be handed on is taken all the same (SUB-9).
  bool meet(std::string_view name, std::string_view protocol, Output& out) {
    if (name.empty()) return say(501, "", "Missing hostname", out), false;
    helo_ = is_domain(name) ? name : "";
    proto_ = protocol;
    bad_commands_ = 0;
    return true;
  }

  // Whether TLS begins now.
  bool begin_tls(std::string_view parameters, Output& out) {
    if (!takes_no_parameters(parameters, out)) return false;
    if (facts_.tls_active) return say(502, "5.5.1", "TLS is already active.", out), false;
    if (!facts_.tls_available) return say(502, "5.5.1", "TLS support is not enabled.", out), false;
    say(220, "2.0.0", "Begin TLS negotiation now.", out);
    out.request = BeginTls{};
    return true;
  }

  // SUB-17: what XCLIENT said belongs to the peer and stays.
  void forget_clear_text() {
    helo_.clear();
    proto_ = first_proto_;
    bad_commands_ = 0;
    cutter_ = {};
  }

  // Whether the client's word counts.
  bool take_xclient(std::string_view parameters, Output& out) {
    if (!facts_.trusted) return say(550, "5.7.14", "You are not from trusted IP", out), false;
    ParsedXclient told = parse_xclient(parameters);
    if (!told.error.empty()) return say(501, "5.5.4", told.error, out), false;
    for (const auto& [name, value] : told.own) set_fact(upstream_, name, value);
    bad_commands_ = 0;
    out.send += greeting();
    out.request = std::move(told.facts);
    return true;
  }

  void answer_noop(std::string_view parameters, Output& out) {
    if (!parameters.empty() && !is_string(parameters)) return say(501, "5.5.4", "Invalid string parameter", out);
    say(250, "2.0.0", "OK", out);
  }

  void take_quit(std::string_view parameters, std::string_view reason, Output& out) {
    if (!takes_no_parameters(parameters, out)) return;
    say(221, "2.0.0", "Bye", out);
    over_ = true;
    out.request = Farewell{reason};
  }

  // What the next host is told of the client by XCLIENT.
  ProtocolFacts told() const {
    ProtocolFacts facts{{"PROTO", std::string(proto_)}, {"CLIENT-TRANSPORT", facts_.tls_active ? "TLS" : "insecure"}};
    if (!helo_.empty()) set_fact(facts, "HELO", helo_);
    for (const auto& [name, value] : upstream_) set_fact(facts, name, value);
    return facts;
  }

  const FrontSettings& settings_;
  ConnectionFacts facts_;
  LineCutter cutter_;
  bool over_ = false;  // leaving, or logged in
  unsigned bad_commands_ = 0;
  std::string helo_;  // the client's name where it can be handed on (SUB-29)
  std::string_view first_proto_, proto_;
  ProtocolFacts upstream_;  // what a trusted peer said by XCLIENT; wins
};

}  // namespace postern::smtp

#endif
