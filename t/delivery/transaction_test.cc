// Transactions with servers on this host.
#include "delivery/transaction.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <map>

#include "auth/temp_dir.h"
#include "delivery/mail_server.h"
#include "proto/smtp/lmtp.h"
#include "proxy/sockets.h"

namespace postern {
namespace {

using test::MailServer;
using test::run_until;

const DeliveryBackend& kLmtpBackend = kLmtp.backends[0];
const DeliveryBackend& kSmtpBackend = kLmtp.backends[1];

struct TransactionTest : testing::Test, Transaction::Owner {
  TransactionTest() {
    auto opened = SpoolFolder::open(dir.path(""));
    EXPECT_TRUE(opened);
    folder = std::move(*opened);
    options.proxy.max_reconnects = 0;
    options.proxy.timeout = Milliseconds(5000);
    envelope.sender = "a@b";
    spool = std::make_unique<Spool>(folder, 1000);
  }
  ~TransactionTest() override { transaction.reset(); }

  void backend_answered(uint32_t recipient, Outcome outcome) override {
    auto& told = delivering ? finals : named;
    EXPECT_FALSE(told.contains(recipient)) << "one answer per stage: " << recipient;
    told[recipient] = std::move(outcome);
  }
  void backend_troubled(LogLevel, const std::string& line) override { troubles.push_back(line); }

  void begin() {
    BackPlan plan;
    plan.hostname = "mx.example.org";
    plan.authenticate = false;
    plan.forward.ttl = 4;
    transaction =
        std::make_unique<Transaction>(DeliveryWorld{ProxyWorld{loop, backends, sources, pool}, farewells, folder},
                                      options, envelope, "SID", std::move(plan), *this);
  }
  static DeliveryRoute route_to(uint16_t port, const DeliveryBackend& backend = kLmtpBackend) {
    DeliveryRoute route;
    route.backend = &backend;
    route.proxy.host = "bk";
    route.proxy.addresses = {*IpAddress::parse("127.0.0.1")};
    route.proxy.port = port;
    return route;
  }
  void add(uint32_t number, DeliveryRoute route) {
    if (!transaction) begin();
    Recipient recipient;
    recipient.number = number;
    recipient.address = "r" + std::to_string(number) + "@d";
    transaction->send_to(recipient, std::move(route), recipient.address);
  }
  bool name_all(size_t count) {
    return run_until(loop, [&] { return named.size() == count; });
  }
  void deliver() {
    delivering = true;
    transaction->deliver({header, *spool});
  }
  bool deliver_to(size_t count) {
    deliver();
    return run_until(loop, [&] { return finals.size() == count; });
  }
  // "reply 250", "failed Lost"
  static std::string show(const Outcome& o) {
    if (o.kind == OutcomeKind::BackendReply) return "reply " + std::to_string(o.reply.code);
    if (o.kind == OutcomeKind::ProxyFailed) return "failed " + std::to_string(static_cast<int>(o.trouble));
    return "kind " + std::to_string(static_cast<int>(o.kind));
  }
  static std::string failed(ProxyTrouble trouble) { return "failed " + std::to_string(static_cast<int>(trouble)); }

  TempDir dir;
  SpoolFolder folder;
  Loop loop;
  Backends backends{loop};
  SourceAddresses sources;
  RelayPool pool{Milliseconds(60000)};
  Farewells farewells{loop};
  DeliveryOptions options;
  Envelope envelope;
  std::string header = "Received: x\r\n";
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Transaction> transaction;
  bool delivering = false;
  std::map<uint32_t, Outcome> named, finals;
  std::vector<std::string> troubles;
};

TEST_F(TransactionTest, RecipientsOfOneBackendShareAConnection) {  // LMTP-25
  MailServer server(loop);
  add(0, route_to(server.port));
  add(1, route_to(server.port));
  ASSERT_TRUE(name_all(2));
  add(2, route_to(server.port));
  ASSERT_TRUE(name_all(3));
  ASSERT_TRUE(spool->append("Subject: x\r\n\r\n.dot\r\n"));
  server.finals = {"250 2.0.0 one\r\n", "552 5.2.2 full\r\n"};
  ASSERT_TRUE(deliver_to(3));
  EXPECT_EQ(server.connections, 1u);
  EXPECT_EQ(server.commands,
            "LHLO mx.example.org|MAIL FROM:<a@b>|RCPT TO:<r0@d>|RCPT TO:<r1@d>|RCPT TO:<r2@d>|DATA|QUIT|");
  EXPECT_EQ(server.message, "Received: x\r\nSubject: x\r\n\r\n.dot\r\n");
  EXPECT_EQ(show(finals[0]) + show(finals[1]) + show(finals[2]), "reply 250reply 552reply 250");
  EXPECT_EQ(transaction->place_of(1).host, "bk");
  EXPECT_EQ(transaction->place_of(1).to.port, server.port);
  EXPECT_EQ(transaction->place_of(7).host, "");
}

TEST_F(TransactionTest, WhatIsAnotherPlaceHasItsOwn) {  // LMTP-25
  MailServer server(loop), other(loop);
  const auto plain = route_to(server.port);
  auto by_name = plain, untrusted = plain, smtp = plain, with_header = plain, slow = plain, from_here = plain;
  by_name.proxy.host = "another-name";
  untrusted.proxy.trusted = false;
  smtp.backend = &kSmtpBackend;
  with_header.proxy.preamble = "NOOP\r\n";
  from_here.proxy.source = IpAddress::parse("127.0.0.1");
  slow.proxy.timeout = Milliseconds(9000);  // is the first one's: no other place
  uint32_t number = 0;
  for (const auto& route : {plain, by_name, untrusted, smtp, with_header, from_here, slow, route_to(other.port)})
    add(number++, route);
  ASSERT_TRUE(run_until(loop, [&] { return server.connections == 6 && other.connections == 1; }));
  ASSERT_TRUE(run_until(loop, [&] { return named.contains(0) && named.contains(6) && named.contains(7); }));
  EXPECT_EQ(server.connections, 6u);
}

TEST_F(TransactionTest, SessionsAreCountedByConnection) {  // LMTP-27
  MailServer one(loop), two(loop);
  one.capabilities = two.capabilities = "250-bk\r\n250 XCLIENT SESSION TTL\r\n";
  add(0, route_to(one.port));
  add(1, route_to(two.port));
  ASSERT_TRUE(name_all(2));
  EXPECT_EQ(one.count("XCLIENT SESSION=SID:P1 TTL=4|"), 1u) << one.commands;
  EXPECT_EQ(two.count("XCLIENT SESSION=SID:P2 TTL=4|"), 1u) << two.commands;
}

TEST_F(TransactionTest, AnSmtpServerAnswersForAll) {  // LMTP-42
  MailServer server(loop);
  server.answers_each = false;
  server.finals = {"451 4.2.0 later\r\n"};
  add(0, route_to(server.port, kSmtpBackend));
  add(1, route_to(server.port, kSmtpBackend));
  ASSERT_TRUE(name_all(2));
  ASSERT_TRUE(spool->append("x\r\n"));
  ASSERT_TRUE(deliver_to(2));
  EXPECT_TRUE(server.commands.starts_with("EHLO mx.example.org|"));
  EXPECT_EQ(show(finals[0]) + show(finals[1]), "reply 451reply 451");
}

TEST_F(TransactionTest, ARefusedRecipientHasNoPartInTheMessage) {
  MailServer good(loop), bad(loop);
  bad.replies["RCPT"] = "550 5.1.1 unknown\r\n";
  add(0, route_to(bad.port));
  add(1, route_to(good.port));
  ASSERT_TRUE(name_all(2));
  EXPECT_EQ(show(named[0]) + show(named[1]), "reply 550reply 250");
  ASSERT_TRUE(spool->append("x\r\n"));
  ASSERT_TRUE(deliver_to(1));
  EXPECT_EQ(show(finals[1]), "reply 250");
  EXPECT_EQ(bad.count("DATA"), 0u);
}

// One of two backends goes; what the other one says stands (LMTP-43, LMTP-44).
struct DyingBackend : TransactionTest, testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(DyingBackend, ChangesNobodysAnswerElsewhere) {
  const auto [where, capability] = GetParam();
  MailServer dying(loop), good(loop);
  dying.closes_at = where;
  for (MailServer* server : {&dying, &good})
    server->capabilities = "250-bk\r\n250-ENHANCEDSTATUSCODES\r\n250 " + std::string(capability) + "\r\n";
  add(0, route_to(dying.port));
  add(1, route_to(good.port));
  add(2, route_to(dying.port));
  ASSERT_TRUE(name_all(3));
  EXPECT_EQ(show(named[1]), "reply 250");
  const bool early = named[0].kind == OutcomeKind::ProxyFailed;
  ASSERT_TRUE(spool->append("x\r\ny\r\n"));
  ASSERT_TRUE(deliver_to(early ? 1 : 3));
  EXPECT_EQ(show(finals[1]), "reply 250");
  EXPECT_EQ(good.message, "Received: x\r\nx\r\ny\r\n");
  if (early) return;
  EXPECT_EQ(show(finals[0]), std::string(where) == "final" ? "reply 250" : failed(ProxyTrouble::Lost));
  EXPECT_EQ(show(finals[2]), failed(ProxyTrouble::Lost));
}

INSTANTIATE_TEST_SUITE_P(Places, DyingBackend,
                         testing::Values(std::pair("banner", "PIPELINING"), std::pair("LHLO", "PIPELINING"),
                                         std::pair("MAIL", "PIPELINING"), std::pair("RCPT", "PIPELINING"),
                                         std::pair("RCPT", "8BITMIME"), std::pair("DATA", "PIPELINING"),
                                         std::pair("body", "PIPELINING"), std::pair("body", "CHUNKING"),
                                         std::pair("end", "PIPELINING"), std::pair("end", "CHUNKING"),
                                         std::pair("final", "PIPELINING"), std::pair("final", "CHUNKING")));

TEST_F(TransactionTest, ABackendThatIsNotThere) {  // LMTP-34, LMTP-50
  uint16_t port = 0;
  {
    MailServer gone(loop);
    port = gone.port;
  }
  add(0, route_to(port));
  add(1, route_to(port));
  ASSERT_TRUE(name_all(2));
  add(2, route_to(port));
  ASSERT_TRUE(name_all(3));
  for (auto& [number, outcome] : named) EXPECT_EQ(show(outcome), failed(ProxyTrouble::Connect)) << number;
  EXPECT_EQ(troubles.size(), 1u);
  deliver();
  EXPECT_TRUE(finals.empty());
}

TEST_F(TransactionTest, ABannerThatIsNone) {  // LMTP-50: no bounce
  MailServer server(loop);
  server.closes_at = "banner";
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  EXPECT_EQ(show(named[0]), failed(ProxyTrouble::Connect));
}

TEST_F(TransactionTest, NoAnswerToACommand) {  // LMTP-36
  options.command_timeout = Milliseconds(30);
  MailServer server(loop);
  server.replies["RCPT"] = "";
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  EXPECT_EQ(show(named[0]), failed(ProxyTrouble::TimedOut));
  EXPECT_EQ(named[0].text, "Timed out while waiting for the reply to RCPT");
}

TEST_F(TransactionTest, NoAnswerToTheMessage) {  // LMTP-36
  options.data_timeout = Milliseconds(30);
  MailServer silent(loop), good(loop);
  silent.replies["end"] = silent.replies["QUIT"] = "";
  add(0, route_to(silent.port));
  add(1, route_to(good.port));
  ASSERT_TRUE(name_all(2));
  ASSERT_TRUE(spool->append("x\r\n"));
  ASSERT_TRUE(deliver_to(2));
  EXPECT_EQ(finals[0].kind, OutcomeKind::NotAnswering);
  EXPECT_EQ(finals[0].text, "transaction timed out while waiting for the final reply");
  EXPECT_EQ(show(finals[1]), "reply 250");
}

TEST_F(TransactionTest, ABackendThatDoesNotRead) {
  options.data_timeout = Milliseconds(30);
  MailServer server(loop);
  server.reads = false;
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(spool->append(std::string(1 << 20, 'x')));
  ASSERT_TRUE(deliver_to(1));
  EXPECT_EQ(finals[0].text, "transaction timed out while waiting for the message to be taken");
}

// DATA and BDAT, from memory and from a file, more than goes into a socket at once.
TEST_F(TransactionTest, LargeMessagesArriveAsTheyWere) {
  MailServer data(loop), bdat(loop);
  bdat.capabilities = "250-bk\r\n250-CHUNKING\r\n250 PIPELINING\r\n";
  add(0, route_to(data.port));
  add(1, route_to(bdat.port));
  ASSERT_TRUE(name_all(2));
  std::string text;
  for (int i = 0; text.size() < 900000; ++i)
    text += std::string(static_cast<size_t>(i % 5), '.') + "line " + std::to_string(i) + "\r\n";
  for (size_t at = 0; at < text.size(); at += 4099) ASSERT_TRUE(spool->append(std::string_view(text).substr(at, 4099)));
  ASSERT_TRUE(deliver_to(2));
  EXPECT_TRUE(data.message == header + text);
  EXPECT_TRUE(bdat.message == header + text);
  EXPECT_EQ(bdat.count("BDAT " + std::to_string(header.size() + text.size()) + " LAST|"), 1u);
}

TEST_F(TransactionTest, ALargeMessageDoesNotStandInMemory) {  // LMTP-38
  MailServer slow(loop), fast(loop);
  slow.reads = false;
  add(0, route_to(slow.port));
  add(1, route_to(fast.port));
  ASSERT_TRUE(name_all(2));
  constexpr uint64_t kSize = 20 << 20;
  for (uint64_t n = 0; n < kSize; n += 1 << 16) ASSERT_TRUE(spool->append(std::string((1 << 16) - 2, 'x') + "\r\n"));
  fast.message.reserve(1 << 20);
  const auto before = ::mallinfo2().uordblks;
  deliver();
  ASSERT_TRUE(run_until(loop, [&] { return finals.contains(1); }));
  const auto after = ::mallinfo2().uordblks;
  EXPECT_LT(after, before + (1 << 20)) << "one of them has read it all, the other nothing";
  EXPECT_FALSE(finals.contains(0));
  slow.read_on();
  ASSERT_TRUE(run_until(loop, [&] { return finals.size() == 2; }));
  EXPECT_EQ(slow.message_size, kSize + header.size());
  EXPECT_EQ(show(finals[0]), "reply 250");
}

TEST_F(TransactionTest, LeavesInOrder) {  // LMTP-45
  MailServer server(loop);
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  ASSERT_TRUE(spool->append("x\r\n"));
  ASSERT_TRUE(deliver_to(1));
  transaction.reset();
  ASSERT_TRUE(run_until(loop, [&] { return server.open == 0 && farewells.size() == 0; }));
  EXPECT_TRUE(server.commands.ends_with("|DATA|QUIT|")) << server.commands;
}

TEST_F(TransactionTest, WhoIsDroppedBeforeTheMessageDeliversNothing) {  // LMTP-18
  MailServer server(loop);
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  transaction.reset();
  ASSERT_TRUE(run_until(loop, [&] { return server.open == 0; }));
  EXPECT_TRUE(server.commands.ends_with("RCPT TO:<r0@d>|QUIT|")) << server.commands;
}

TEST_F(TransactionTest, WhoIsDroppedWithinTheMessageDeliversNothing) {  // LMTP-46
  MailServer server(loop);
  server.reads = false;
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(spool->append(std::string((1 << 20) - 2, 'x') + "\r\n"));
  deliver();
  ASSERT_TRUE(run_until(loop, [&] { return server.count("DATA") == 1; }));
  transaction.reset();
  server.read_on();
  ASSERT_TRUE(run_until(loop, [&] { return server.open == 0; }));
  EXPECT_FALSE(server.complete);
  EXPECT_LT(server.message_size, uint64_t{20} << 20);
}

TEST_F(TransactionTest, MayBeDroppedAtAnyTime) {
  MailServer server(loop);
  add(0, route_to(server.port));
  transaction.reset();
  add(0, route_to(server.port));
  ASSERT_TRUE(run_until(loop, [&] { return server.connections >= 1; }));
  transaction.reset();
  ASSERT_TRUE(run_until(loop, [&] { return server.open == 0; }));
  EXPECT_TRUE(named.empty());
}

TEST_F(TransactionTest, AnEarlyRefusalOfTheMessage) {  // LMTP-41
  MailServer server(loop);
  server.replies["DATA"] = "354 go\r\n552 5.3.4 too large\r\n";
  add(0, route_to(server.port));
  ASSERT_TRUE(name_all(1));
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(spool->append(std::string(1 << 20, 'x')));
  ASSERT_TRUE(deliver_to(1));
  EXPECT_EQ(show(finals[0]), "reply 552");
}

}  // namespace
}  // namespace postern
