#include "proto/smtp/lmtp_words.h"

#include <gtest/gtest.h>

#include <set>

namespace postern::smtp {
namespace {

using std::string;
using std::string_view;

Recipient joe() {
  Recipient r;
  r.address = "joe+box@example.org";
  r.user = "joe@example.org";
  r.detail = "+box";
  return r;
}

string reply(const Outcome& outcome, Stage stage = Stage::Named, bool verbose = false) {
  return outcome_reply(outcome, stage, joe(), verbose);
}

// --- LHLO (LMTP-6) ---------------------------------------------------------------------------

using Lines = std::vector<string>;

TEST(LhloLines, StandInOrder) {
  FrontSettings settings;
  settings.hostname = "mx.example.org";
  EXPECT_EQ(lhlo_lines(settings, {}), (Lines{"mx.example.org", "ENHANCEDSTATUSCODES", "PIPELINING"}));
  settings.extensions = {"SMTPUTF8", "CHUNKING", "DSN", "8BITMIME", "UNHEARD-OF"};
  settings.max_mail_size = 1000;
  ConnectionFacts facts;
  facts.tls_available = facts.trusted = true;
  EXPECT_EQ(lhlo_lines(settings, facts),
            (Lines{"mx.example.org", "8BITMIME", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "SIZE 1000",
                   "SMTPUTF8", "STARTTLS", "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT", "XRCPTFORWARD"}));
  facts.tls_active = true;
  facts.trusted = false;
  settings.extensions.clear();
  settings.max_mail_size = 0;
  EXPECT_EQ(lhlo_lines(settings, facts), (Lines{"mx.example.org", "ENHANCEDSTATUSCODES", "PIPELINING"}));
}

// --- outcomes ----------------------------------------------------------------------------------

struct OutcomeCase {
  OutcomeKind kind;
  string_view text, reply;
};
constexpr OutcomeCase kOutcomes[] = {
    {OutcomeKind::Taken, "", "250 2.1.5 OK"},
    {OutcomeKind::Delivered, "", "250 2.0.0 <joe+box@example.org> SID Saved"},
    {OutcomeKind::ProxyFailed, "why", "451 4.4.0 Proxy failed (session=SID)"},
    {OutcomeKind::NotAnswering, "", "451 4.4.0 <joe+box@example.org> Remote server not answering (timed out)"},
    {OutcomeKind::NotAnswering, "transaction timed out while waiting for RCPT",
     "451 4.4.0 <joe+box@example.org> Remote server not answering (transaction timed out while waiting for RCPT)"},
    {OutcomeKind::UserUnknown, "", "550 5.1.1 <joe+box@example.org> User doesn't exist: joe@example.org"},
    {OutcomeKind::LookupFailed, "", "451 4.3.0 <joe+box@example.org> Temporary user lookup failure"},
    {OutcomeKind::LookupFailed, "moving\r\n250 OK", "451 4.3.0 <joe+box@example.org> moving??250 OK"},
    {OutcomeKind::Misconfigured, "secret", "451 4.3.0 <joe+box@example.org> Internal user lookup failure"},
    {OutcomeKind::LoopsToItself, "", "554 5.4.6 <joe+box@example.org> Proxying loops to itself"},
    {OutcomeKind::TtlReached, "", "554 5.4.6 <joe+box@example.org> Proxying appears to be looping (TTL=0)"},
    {OutcomeKind::LoginDisabled, "", "550 5.3.5 <joe+box@example.org> Login disabled"},
    {OutcomeKind::LoginDisabled, "moved away", "550 5.3.5 <joe+box@example.org> moved away"},
    {OutcomeKind::Referral, "joe@other:2424", "550 5.2.900 <joe+box@example.org> joe@other:2424 Referral"},
    {OutcomeKind::Redirected, "550 5.2.900 x", "451 4.3.0 <joe+box@example.org> Temporary internal proxy error"},
    {OutcomeKind::InternalFailure, "disk", "451 4.3.0 Temporary internal failure"},
    {OutcomeKind::ProgramRefused, "", "550 5.7.1 <joe+box@example.org> Message refused"},
    {OutcomeKind::ProgramFailed, "", "451 4.3.0 <joe+box@example.org> Temporary local delivery failure"},
};

TEST(OutcomeReply, OfEveryKind) {
  std::set<OutcomeKind> seen{OutcomeKind::BackendReply};  // below
  for (const OutcomeCase& c : kOutcomes) {
    Outcome outcome;
    outcome.kind = c.kind;
    outcome.text = c.text;
    outcome.session = "SID";
    for (const Stage stage : {Stage::Named, Stage::Delivery}) {
      const string said = reply(outcome, stage);
      ASSERT_TRUE(said.ends_with("\r\n"));
      const string line = said.substr(0, said.size() - 2);
      EXPECT_EQ(line.find_first_of("\r\n"), string::npos) << line;
      EXPECT_EQ(line.substr(0, 9), string(c.reply).substr(0, 9));
      if (c.text.find('\n') == string_view::npos) EXPECT_EQ(line, c.reply);
    }
    seen.insert(c.kind);
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(OutcomeKind::kCount));
}

TEST(OutcomeReply, SaysHowAProxyFailed) {  // LMTP-34
  const std::pair<ProxyTrouble, string_view> rows[] = {{ProxyTrouble::Other, ""},
                                                       {ProxyTrouble::Connect, "connect, "},
                                                       {ProxyTrouble::Lost, "connection lost, "},
                                                       {ProxyTrouble::BadReply, "bad reply, "},
                                                       {ProxyTrouble::TimedOut, "timed out, "}};
  for (const auto& [trouble, words] : rows) {
    const Outcome outcome{.kind = OutcomeKind::ProxyFailed,
                          .trouble = trouble,
                          .text = "connect(192.0.2.1) failed\r\n",
                          .session = "SID:R2"};
    EXPECT_EQ(reply(outcome), "451 4.4.0 Proxy failed (" + string(words) + "session=SID:R2)\r\n");
    const string verbose = reply(outcome, Stage::Named, true);
    EXPECT_TRUE(verbose.starts_with("451 4.4.0 Proxy failed: connect(192.0.2.1) failed")) << verbose;
    EXPECT_TRUE(verbose.ends_with(" (session=SID:R2)\r\n")) << verbose;
    EXPECT_EQ(verbose.find('\n'), verbose.size() - 1);
  }
  EXPECT_EQ(reply({.kind = OutcomeKind::ProxyFailed, .session = "S"}, Stage::Named, true),
            "451 4.4.0 Proxy failed: connection failed (session=S)\r\n");
}

string backend(unsigned code, string_view enhanced, std::vector<string> lines, Stage stage = Stage::Named) {
  Outcome outcome{.kind = OutcomeKind::BackendReply, .session = "SID"};
  outcome.reply = {code, string(enhanced), std::move(lines)};
  return reply(outcome, stage);
}

TEST(OutcomeReply, BackendsSpeakForThemselves) {  // LMTP-32
  EXPECT_EQ(backend(250, "2.1.5", {"OK"}), "250 2.1.5 OK\r\n");
  EXPECT_EQ(backend(251, "", {"will forward"}), "251 2.1.0 will forward\r\n");
  EXPECT_EQ(backend(550, "5.1.1", {"no such user"}), "550 5.1.1 <joe+box@example.org> no such user\r\n");
  EXPECT_EQ(backend(452, "", {"later"}), "452 4.0.0 <joe+box@example.org> later\r\n");
  EXPECT_EQ(backend(552, "", {"full"}), "552 5.0.0 <joe+box@example.org> full\r\n");
  EXPECT_EQ(backend(550, "5.7.1", {""}), "550 5.7.1 <joe+box@example.org> \r\n");
}

TEST(OutcomeReply, TheClientsAddressStandsForTheBackends) {
  EXPECT_EQ(backend(250, "2.1.5", {"<j2@inside> OK"}), "250 2.1.5 <joe+box@example.org> OK\r\n");
  EXPECT_EQ(backend(550, "5.1.1", {"<j2@inside> User doesn't exist: j2@inside"}),
            "550 5.1.1 <joe+box@example.org> User doesn't exist: j2@inside\r\n");
  EXPECT_EQ(backend(550, "5.1.1", {"<j2@inside>"}), "550 5.1.1 <joe+box@example.org> <j2@inside>\r\n")
      << "no text behind it";
  EXPECT_EQ(backend(550, "5.1.1", {"user <j2@inside> is unknown"}),
            "550 5.1.1 <joe+box@example.org> user <j2@inside> is unknown\r\n");
}

TEST(OutcomeReply, OfSeveralLines) {
  EXPECT_EQ(backend(550, "5.7.1", {"<j2@inside> Rejected:", "see http://x", ""}),
            "550-5.7.1 <joe+box@example.org> Rejected:\r\n550-5.7.1 <joe+box@example.org> see http://x\r\n550 5.7.1 "
            "<joe+box@example.org> \r\n");
  EXPECT_EQ(backend(250, "2.1.5", {"one", "two"}), "250-2.1.5 one\r\n250 2.1.5 two\r\n");
}

TEST(OutcomeReply, NothingOfABackendBreaksTheLine) {  // SEC-7
  const string said = backend(550, "5.1.1",
                              {"a\r\n250 OK\x01"
                               "b",
                               string(5000, 'x')});
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2);
  EXPECT_EQ(said.find('\x01'), string::npos);
  EXPECT_LT(said.size(), 2300u);
}

TEST(OutcomeReply, OfAMessageIsOursWhenItIsGood) {  // LMTP-42
  EXPECT_EQ(backend(250, "2.0.0", {"<j2@inside> abc Saved"}, Stage::Delivery),
            "250 2.0.0 <joe+box@example.org> SID Saved\r\n");
  EXPECT_EQ(backend(250, "", {"queued", "as 7"}, Stage::Delivery), "250 2.0.0 <joe+box@example.org> SID Saved\r\n");
  EXPECT_EQ(backend(552, "5.2.2", {"<j2@inside> Quota exceeded"}, Stage::Delivery),
            "552 5.2.2 <joe+box@example.org> Quota exceeded\r\n");
}

// --- headers (LMTP-39) -----------------------------------------------------------------------------

TEST(MessageDate, OfPlacesEastAndWest) {
  EXPECT_EQ(message_date(0, 0), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(message_date(1795900979, 0), "Sat, 28 Nov 2026 21:22:59 +0000");
  EXPECT_EQ(message_date(1795900979, 3600), "Sat, 28 Nov 2026 22:22:59 +0100");
  EXPECT_EQ(message_date(1795900979, 19800), "Sun, 29 Nov 2026 02:52:59 +0530");
  EXPECT_EQ(message_date(1795900979, -12600), "Sat, 28 Nov 2026 17:52:59 -0330");
  EXPECT_EQ(message_date(1795900979, -1800), "Sat, 28 Nov 2026 20:52:59 -0030");
  EXPECT_EQ(message_date(1709210096, 0), "Thu, 29 Feb 2024 12:34:56 +0000");
  EXPECT_EQ(message_date(0, -3600), "Wed, 31 Dec 1969 23:00:00 -0100");
}

TraceFacts facts() {
  TraceFacts f;
  f.client = *IpAddress::parse("192.0.2.7");
  f.transaction = "SID:T2";
  return f;
}

TEST(ReceivedHeader, Forms) {
  TraceFacts f = facts();
  EXPECT_EQ(received_header(f, {"mx.example.org", "client.example.org", "a@b", "c@d"}),
            "Received: from client.example.org ([192.0.2.7])\r\n\tby mx.example.org with LMTP\r\n\tid "
            "SID:T2\r\n\t(envelope-from <a@b>)\r\n\tfor <c@d>; "
            "Thu, 01 Jan 1970 00:00:00 +0000\r\n");
  f.tls = "TLSv1.3 with cipher X (256/256 bits)";
  f.client = *IpAddress::parse("2001:db8::7");
  EXPECT_EQ(received_header(f, {"mx", "", "", ""}),
            "Received: from unknown ([2001:db8::7])\r\n\t(using TLSv1.3 with cipher X (256/256 bits))\r\n\tby mx with "
            "LMTPS\r\n\tid SID:T2\r\n"
            "\t(envelope-from <>); Thu, 01 Jan 1970 00:00:00 +0000\r\n");
  f.client = IpAddress();
  f.tls.clear();
  EXPECT_TRUE(received_header(f, {"mx", "a", "", ""}).starts_with("Received: from a\r\n\tby mx with LMTP\r\n"))
      << "by a socket in the file system";
}

}  // namespace
}  // namespace postern::smtp
