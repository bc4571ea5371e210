#include "tls/tickets.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "support/movable_clock.h"
#include "tls/certificates.h"
#include "tls/stream.h"

namespace postern {
namespace {

constexpr Milliseconds kHour{3600'000};

struct Tickets : testing::Test {
  Tickets() {
    const test::Pair pair = test::make_pair("mail.example.org", "DNS:mail.example.org");
    files.add("a.pem", pair.certificate);
    files.add("a.key", pair.key);
  }
  ~Tickets() override {
    take(nullptr);
    SSL_CTX_free(client);
  }
  void take(SSL_SESSION* session) {
    SSL_SESSION_free(ticket);
    ticket = session;
  }

  // A login worker: keys from the master's seed, and a context that uses them.
  struct Worker {
    TicketKeys keys;
    std::shared_ptr<TlsContext> context;
  };
  std::unique_ptr<Worker> worker(const std::string& secret = "the master's random bytes") {
    const auto began = std::chrono::duration_cast<Milliseconds>(start.time_since_epoch()).count();
    auto out = std::unique_ptr<Worker>(
        new Worker{{{SecretString(secret), static_cast<uint64_t>(began)}, kHour, clock}, nullptr});
    ServerTlsOptions options;
    options.pairs = {{"a.pem", "a.key"}};
    options.tickets = &out->keys;
    auto context = TlsContext::for_clients(options, lookup, keys);
    EXPECT_TRUE(context) << (context ? "" : context.error());
    out->context = context ? *context : nullptr;
    return out;
  }

  // A client's connection, with the ticket of the one before; whether that was taken.
  bool resumes(Worker& at) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    Stream near{Fd(pair[0])};
    const Fd far(pair[1]);
    EXPECT_TRUE(near.begin_tls_server(*at.context, nullptr));
    SSL* ssl = SSL_new(client);
    SSL_set_fd(ssl, far.get());
    if (ticket != nullptr) SSL_set_session(ssl, ticket);
    for (int i = 0; i < 10; ++i) {
      SSL_connect(ssl);
      near.handshake();
    }
    EXPECT_TRUE(SSL_is_init_finished(ssl));
    char byte;
    SSL_read(ssl, &byte, 1);  // TLS 1.3 sends its ticket behind the handshake
    const bool reused = SSL_session_reused(ssl) == 1;
    take(SSL_get1_session(ssl));
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);  // else the session counts as broken, and is not taken up again
    SSL_free(ssl);
    return reused;
  }

  MovableClock clock;
  const Instant start = clock.now();
  test::Files files;
  FileLookup lookup = [this](std::string_view path) { return files.find(path); };
  LocalKeys keys{lookup};
  SSL_CTX* client = SSL_CTX_new(TLS_client_method());
  SSL_SESSION* ticket = nullptr;
};

struct TicketsOf : Tickets, testing::WithParamInterface<int> {
  TicketsOf() { SSL_CTX_set_max_proto_version(client, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Versions, TicketsOf, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TicketsOf, AreGoodAtEveryWorker) {
  const auto one = worker(), two = worker();
  EXPECT_FALSE(resumes(*one));
  EXPECT_TRUE(resumes(*two));
  EXPECT_TRUE(resumes(*one));
}

TEST_P(TicketsOf, AreGoodUntilTheNextKeyIsReplaced) {
  const auto one = worker(), two = worker();
  EXPECT_FALSE(resumes(*one));
  SSL_SESSION* first = ticket;
  SSL_SESSION_up_ref(first);
  clock.ahead = std::chrono::minutes(61);
  EXPECT_TRUE(resumes(*two)) << "the key before";
  clock.ahead = std::chrono::minutes(119);
  EXPECT_TRUE(resumes(*one)) << "a new ticket came with that";
  take(first);
  clock.ahead = std::chrono::minutes(121);
  EXPECT_FALSE(resumes(*two)) << "two keys later";
}

// A worker that comes later, or slept, has the same keys as the others.
TEST_P(TicketsOf, StepsCanBeMadeUpFor) {
  const auto one = worker();
  clock.ahead = std::chrono::hours(1000);
  EXPECT_FALSE(resumes(*one));
  EXPECT_TRUE(resumes(*worker()));
}

TEST_P(TicketsOf, AnotherMasterMakesOtherKeys) {
  EXPECT_FALSE(resumes(*worker()));
  EXPECT_FALSE(resumes(*worker("of another one")));
}

}  // namespace
}  // namespace postern
