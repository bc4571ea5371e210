#include "net/resolver.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>

#include "auth/temp_dir.h"
#include "base/fd.h"

namespace postern {
namespace {

class ResolverTest : public testing::Test {
 protected:
  // "1.2.3.4 ..." or "ERROR"; `why_` says more.
  std::string ask(Resolver& resolver, const std::string& name, Milliseconds timeout = Milliseconds(5000)) {
    std::string out;
    bool called_inside = true;
    resolver.resolve(name, timeout, [&](Result<std::vector<IpAddress>> found) {
      EXPECT_FALSE(called_inside);
      if (!found) {
        out = "ERROR";
        why_ = found.error();
      } else {
        for (const IpAddress& ip : *found) out += (out.empty() ? "" : " ") + ip.text();
      }
      loop_.stop();
    });
    called_inside = false;
    loop_.run();
    return out;
  }
  TempDir dir_;
  std::string why_;
  Loop loop_;
};

TEST_F(ResolverTest, HostsFileWithoutAnyServer) {
  dir_.write("hosts",
             "127.0.0.1 localhost\n10.0.0.1 mail.example alias\n10.0.0.2 mail.example\n2001:db8::1 six.example\n");
  Resolver resolver(loop_, {dir_.path("hosts"), dir_.path("none")});
  EXPECT_EQ(ask(resolver, "mail.example"), "10.0.0.1 10.0.0.2");
  EXPECT_EQ(ask(resolver, "alias"), "10.0.0.1");
  EXPECT_EQ(ask(resolver, "six.example"), "2001:db8::1");
}

TEST_F(ResolverTest, UnknownNameWithoutServersEndsInTime) {
  dir_.write("hosts", "");
  Resolver resolver(loop_, {dir_.path("hosts"), dir_.path("none")});
  EXPECT_EQ(ask(resolver, "nowhere.example", Milliseconds(30)), "ERROR");
  EXPECT_FALSE(why_.empty());
}

TEST_F(ResolverTest, ChangedHostsFileIsReadAgain) {
  dir_.write("hosts", "10.0.0.1 mail.example\n");
  Resolver resolver(loop_, {dir_.path("hosts"), dir_.path("none")});
  EXPECT_EQ(ask(resolver, "mail.example"), "10.0.0.1");
  dir_.write("hosts", "10.0.0.2 mail.example\n");
  std::filesystem::last_write_time(dir_.path("hosts"),
                                   std::filesystem::file_time_type::clock::now() + std::chrono::seconds(2));
  EXPECT_EQ(ask(resolver, "mail.example"), "10.0.0.2");
}

// A server that never answers; the query must not outlive its time, nor hurt the next one.
TEST_F(ResolverTest, SilentServerTimesOut) {
  const Fd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  Endpoint here{*IpAddress::parse("127.0.0.1"), 0};
  sockaddr_storage address;
  const unsigned size = here.to_sockaddr(address);
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  here = Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address));
  dir_.write("hosts", "10.0.0.1 mail.example\n");
  dir_.write("resolv.conf", "nameserver " + here.text() + "\n");
  Resolver resolver(loop_, {dir_.path("hosts"), dir_.path("resolv.conf")});
  EXPECT_EQ(ask(resolver, "nowhere.example", Milliseconds(30)), "ERROR");
  EXPECT_EQ(why_, "timed out");
  EXPECT_EQ(ask(resolver, "mail.example"), "10.0.0.1");
}

}  // namespace
}  // namespace postern
