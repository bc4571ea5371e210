// MAIL's and RCPT's parameters, and the text of messages. The first byte has the rules.
#include "base/text.h"
#include "fuzz/delivery_front_fuzz.h"
#include "proto/smtp/envelope.h"
#include "proto/smtp/message_text.h"

using namespace postern;
using namespace postern::smtp;
using fuzz::expect;

namespace {

EnvelopeRules rules(uint8_t bits) {
  EnvelopeRules r;
  r.eight_bit = (bits & 1) != 0;
  r.dsn = (bits & 2) != 0;
  r.utf8 = (bits & 4) != 0;
  r.max_size = (bits & 8) != 0 ? 1000 : 0;
  r.trusted = (bits & 16) != 0;
  r.blank_before_path = (bits & 32) != 0;
  r.bare_path = (bits & 64) != 0;
  r.delimiters = (bits & 128) != 0 ? "+-" : "+";
  return r;
}

void check(const Refusal& refusal) {
  expect(!has_control(refusal.text), "a refusal can be sent");
  expect(refusal.code >= 400 && refusal.code < 600, "a refusal refuses");
}

void envelopes(std::string_view input, const EnvelopeRules& r) {
  if (has_control(input)) return;  // no command, SUB-2
  Envelope envelope;
  if (const Refusal refusal = parse_mail(input, r, envelope)) check(refusal);
  else expect(envelope.sender.empty() || is_mailbox(envelope.sender), "a sender is an address");
  Recipient recipient;
  Envelope utf8;
  utf8.utf8 = true;
  if (const Refusal refusal = parse_rcpt(input, r, utf8, recipient)) return check(refusal);
  expect(is_mailbox(recipient.address), "a recipient is an address");
  expect(recipient.detail.empty() || r.delimiters.find(recipient.detail.front()) != std::string_view::npos,
         "a detail has its delimiter");
  const auto again = address_for(recipient.user, recipient);
  expect(again && is_mailbox(*again), "who has an address has one by his name");
  Recipient read;
  expect(!parse_rcpt("TO:<" + *again + ">", r, utf8, read) && read.user == recipient.user &&
             read.detail == recipient.detail,
         "and it is his");
}

void names(std::string_view input) {
  Recipient recipient;
  if (const auto address = address_for(input, recipient))
    expect(is_mailbox(*address) && !has_control(*address), "an address that is made is one");
  if (const auto fields = parse_forward_value(input)) {
    const std::string value = forward_value(*fields);
    expect(!has_control(value) && value.find(' ') == std::string::npos, "fields are told in one word");
    expect(fields->empty() || parse_forward_value(value) == fields, "fields are read as they were written");
  }
}

struct Mail {
  std::string text;
  size_t taken = 0;
  bool complete = false;
};
Mail read(std::string_view input, size_t step) {
  Mail mail;
  DataReader reader;
  while (mail.taken < input.size() && !reader.at_end())
    mail.taken += reader.read(input.substr(mail.taken, step), mail.text);
  mail.complete = reader.at_end();
  return mail;
}

void texts(std::string_view input) {
  const Mail whole = read(input, input.size() + 1), bytewise = read(input, 1);
  expect(whole.text == bytewise.text && whole.taken == bytewise.taken && whole.complete == bytewise.complete,
         "a message is the same however it is cut");
  if (!whole.complete) return;
  expect(("\r\n" + std::string(input)).find("\r\n.\r\n") == whole.taken - 3, "it ends at the first end of data");
  fuzz::expect_whole_line_ends(whole.text);
  std::string wire;
  bool in_line = false;
  for (size_t at = 0; at < whole.text.size(); at += 2)
    stuff_dots(std::string_view(whole.text).substr(at, 2), in_line, wire);
  wire += end_of_data(in_line);
  expect(("\r\n" + wire).find("\r\n.\r\n") == wire.size() - 3, "it ends once on its way out");
  expect(read(wire, 3).text == whole.text, "it is read as it was sent");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  envelopes(input, rules(data[0]));
  names(input);
  texts(input);
  return 0;
}
