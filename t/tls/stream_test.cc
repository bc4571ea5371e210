#include "tls/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include "tls/certificates.h"

namespace postern {
namespace {

struct TlsTest : testing::Test {
  TlsTest() {
    ::signal(SIGPIPE, SIG_IGN);
    for (const auto& [name, cn, san] : {std::tuple{"a", "mail.example.org", "DNS:mail.example.org, IP:127.0.0.1"},
                                        std::tuple{"b", "other.example.org", "DNS:other.example.org"}}) {
      const test::Pair pair = test::make_pair(cn, san);
      files.add(std::string(name) + ".pem", pair.certificate);
      files.add(std::string(name) + ".key", pair.key);
    }
  }
  std::shared_ptr<TlsContext> server(const std::string& cert = "a.pem", const std::string& key = "a.key") {
    ServerTlsOptions o;
    o.pairs = {{cert, key}};
    auto c = TlsContext::for_clients(o, lookup, keys);
    EXPECT_TRUE(c) << (c ? "" : c.error());
    return c ? *c : nullptr;
  }
  std::shared_ptr<TlsContext> client(std::vector<std::string> ca) {
    ClientTlsOptions o;
    o.ca_files = std::move(ca);
    auto c = TlsContext::for_backends(o, lookup, keys);
    EXPECT_TRUE(c) << (c ? "" : c.error());
    return c ? *c : nullptr;
  }
  // Shakes hands over a socket pair; true when both ends are done.
  bool shake(const TlsContext& s, const TlsContext& c, const PeerCheck& check, void* owner = nullptr) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    near = Stream(Fd(pair[0]));
    far = Stream(Fd(pair[1]));
    EXPECT_TRUE(near.begin_tls_server(s, owner));
    EXPECT_TRUE(far.begin_tls_client(c, check, "imap"));
    IoState a = IoState::WantRead, b = IoState::WantRead;
    const auto wants = [](IoState state) { return state == IoState::WantRead || state == IoState::WantWrite; };
    for (int i = 0; i < 20 && (wants(a) || wants(b)); ++i) {
      if (wants(b)) b = far.handshake().state;
      if (wants(a)) a = near.handshake().state;
    }
    return a == IoState::Done && b == IoState::Done;
  }

  test::Files files;
  FileLookup lookup = [this](std::string_view path) { return files.find(path); };
  LocalKeys keys{lookup};
  Stream near, far;
};

TEST_F(TlsTest, CarriesBytes) {
  ASSERT_TRUE(shake(*server(), *client({"a.pem"}), {true, "mail.example.org"}));
  ASSERT_EQ(far.write("hello").bytes, 5u);
  char buffer[32];
  const IoResult r = near.read(buffer, sizeof buffer);
  ASSERT_EQ(r.state, IoState::Done);
  EXPECT_EQ(std::string_view(buffer, r.bytes), "hello");
  EXPECT_EQ(near.read(buffer, sizeof buffer).state, IoState::WantRead);
  EXPECT_NE(near.tls_description().find("TLSv1.3 with cipher"), std::string::npos);
  far.close();
  EXPECT_EQ(near.read(buffer, sizeof buffer).state, IoState::Closed);
}

// PXI-71: chain and name, for names and for addresses
TEST_F(TlsTest, AcceptsAnAddressThatTheCertificateCarries) {
  EXPECT_TRUE(shake(*server(), *client({"a.pem"}), {true, "127.0.0.1"}));
}

TEST_F(TlsTest, RefusesAnotherName) {
  EXPECT_FALSE(shake(*server(), *client({"a.pem"}), {true, "imap.example.org"}));
  EXPECT_TRUE(far.certificate_failed());
  EXPECT_NE(far.tls_error().find("Received invalid SSL certificate: hostname mismatch"), std::string::npos)
      << far.tls_error();
}

TEST_F(TlsTest, RefusesAnotherAddress) { EXPECT_FALSE(shake(*server(), *client({"a.pem"}), {true, "127.0.0.2"})); }

TEST_F(TlsTest, RefusesAnUnknownAuthority) {
  EXPECT_FALSE(shake(*server(), *client({"b.pem"}), {true, "mail.example.org"}));
  EXPECT_TRUE(far.certificate_failed());
  EXPECT_NE(far.tls_error().find("(check ssl_client_ca_* settings?)"), std::string::npos) << far.tls_error();
}

TEST_F(TlsTest, AcceptsAnythingWithAnyCert) { EXPECT_TRUE(shake(*server(), *client({}), {false, "whatever"})); }

TEST_F(TlsTest, ChoosesTheCertificateByName) {
  const auto a = server(), b = server("b.pem", "b.key");
  a->set_name_chooser([](void* owner, std::string_view name) -> TlsContext* {
    return name == "other.example.org" ? static_cast<TlsContext*>(owner) : nullptr;
  });
  EXPECT_TRUE(shake(*a, *client({"b.pem"}), {true, "other.example.org"}, b.get()));
  EXPECT_TRUE(shake(*a, *client({"a.pem"}), {true, "mail.example.org"}, b.get()));
}

TEST_F(TlsTest, FailsOnWhatIsNotTls) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Stream stream{Fd(pair[0])};
  const Fd peer(pair[1]);
  const auto context = server();
  ASSERT_TRUE(stream.begin_tls_server(*context, nullptr));
  ASSERT_GT(::write(peer.get(), "a LOGIN b c\r\n", 13), 0);
  EXPECT_EQ(stream.handshake().state, IoState::Failed);
  EXPECT_FALSE(stream.tls_error().empty());
}

TEST_F(TlsTest, SaysWhatIsWrongWithAKey) {
  ServerTlsOptions o;
  o.pairs = {{"a.pem", "b.key"}};
  const auto mixed = TlsContext::for_clients(o, lookup, keys);
  ASSERT_FALSE(mixed);
  EXPECT_TRUE(mixed.error().starts_with("ssl_key = b.key: does not belong to the certificate")) << mixed.error();
  o.pairs = {{"a.pem", "none.key"}};
  EXPECT_EQ(TlsContext::for_clients(o, lookup, keys).error(), "ssl_key = none.key: no such file");
  o.pairs = {{"none.pem", "a.key"}};
  EXPECT_EQ(TlsContext::for_clients(o, lookup, keys).error(), "ssl_cert = none.pem: no such file");
  o.pairs = {};
  EXPECT_EQ(TlsContext::for_clients(o, lookup, keys).error(), "ssl_cert is not set");
}

TEST_F(TlsTest, RefusesAKeyWithPassPhraseInsteadOfAsking) {
  files.add("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
  ServerTlsOptions o;
  o.pairs = {{"a.pem", "locked.key"}};
  const auto c = TlsContext::for_clients(o, lookup, keys);
  ASSERT_FALSE(c);
  EXPECT_TRUE(c.error().starts_with("ssl_key = locked.key: not a private key without pass phrase")) << c.error();
}

}  // namespace
}  // namespace postern
