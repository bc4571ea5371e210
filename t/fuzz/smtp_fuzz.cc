// Parsers of SMTP and LMTP: commands, replies, XCLIENT.
#include "base/text.h"
#include "fuzz/expect.h"
#include "proto/smtp/command.h"
#include "proto/smtp/reply.h"
#include "proto/smtp/xclient.h"

using namespace postern;
using namespace postern::smtp;
using fuzz::expect;

namespace {

// What a cutter makes of `input`, given in pieces of `step` bytes.
std::string cut(std::string_view input, size_t step) {
  LineCutter cutter;
  std::string buffer, log;
  cutter.discard(3);
  for (size_t at = 0; at < input.size(); at += step) {
    buffer += input.substr(at, step);
    for (;;) {
      const size_t skipped = cutter.skip(buffer);
      buffer.erase(0, skipped);
      const Line line = cutter.next(buffer, command_limit(buffer, 20));
      if (line.status == Line::Status::Incomplete) break;
      log += line.status == Line::Status::TooLong ? std::string("<long>") : std::string(line.text) + "|";
      buffer.erase(0, line.taken);
    }
  }
  return log;
}

void commands(std::string_view input) {
  expect(cut(input, 1) == cut(input, input.size() + 1), "lines are the same however they are cut");
  if (const auto command = parse_command(input)) {
    const bool nothing = input.empty() || input.front() == ' ' || input.front() == '\t';
    expect(command->verb.empty() ? nothing : command->verb.size() <= kMaxVerb,
           "a verb is missing only where nothing stands, and bounded");
    expect(command->verb.size() + command->parameters.size() <= input.size(), "parameters are part of the line");
    expect(is_text(command->parameters), "parameters are text");
  }
  if (is_domain(input))
    expect(!has_control(input) && input.find(' ') == std::string_view::npos, "a domain is one word");
  if (is_string(input)) expect(!input.empty(), "a string is not empty");
  parse_chunk(input);
}

void replies(std::string_view input) {
  ReplyReader reader;
  for (std::string_view line : split_fields(input, '\n')) {
    const ReplyReader::State state = reader.take(line);
    if (state == ReplyReader::State::Broken) return;
    if (state == ReplyReader::State::More) continue;
    const Reply reply = reader.reply();
    ReplyReader again;
    auto outcome = ReplyReader::State::More;
    const std::string text = reply.text();
    for (std::string_view shown : split_words(text, "\r\n")) {
      expect(!has_control(shown), "what is passed on has no control bytes");
      outcome = again.take(shown);
    }
    expect(outcome == ReplyReader::State::Complete && again.reply().code == reply.code, "what is passed on is a reply");
  }
}

void xclient(std::string_view input) {
  expect(xtext_decode(xtext_encode(input)) == input, "xtext round trip");
  const ParsedXclient x = parse_xclient(input);
  if (!x.error.empty()) return expect(!has_control(x.error), "an error can be shown");
  ForwardFacts facts;
  facts.remote = {x.facts.remote_ip.value_or(IpAddress()), x.facts.remote_port.value_or(0)};
  facts.forward = x.facts.forward;
  const auto out = format_xclient(XclientForm::Submission, facts, x.own,
                                  offered_attributes("HELO PROTO LOGIN TIMEOUT ADDR FORWARD CLIENT-TRANSPORT"));
  for (std::string_view command : split_words(out.text, "\r\n")) {
    expect(command.starts_with("XCLIENT ") && !has_control(command), "commands have no control bytes");
    const ParsedXclient again = parse_xclient(command.substr(8));
    expect(again.error.empty() || facts.remote.ip.is_none(), "we read what we write");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  commands(input);
  replies(input);
  xclient(input);
  return 0;
}
