#include "login/log_line.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

ClientInfo someone() {
  ClientInfo c;
  c.protocol = "imap";
  c.remote = {*IpAddress::parse("192.0.2.1"), 4000};
  c.local = {*IpAddress::parse("192.0.2.2"), 143};
  c.session = "AAAA";
  return c;
}

constexpr std::string_view kDefault = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>";

// LOG-1: empty elements go, the user stays
TEST(LogElements, LeavesOutWhatIsEmptyButTheUser) {
  auto e = LogElements::compile(kDefault);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->fill(someone()), "user=<>, rip=192.0.2.1, lip=192.0.2.2, session=<AAAA>");
}

TEST(LogElements, FillsAll) {
  auto e = LogElements::compile(kDefault);
  ASSERT_TRUE(e);
  ClientInfo c = someone();
  c.user = "joe@example.org";
  c.mechanism = "PLAIN";
  c.tls = "TLS";
  EXPECT_EQ(e->fill(c), "user=<joe@example.org>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS, session=<AAAA>");
}

TEST(LogElements, MakesPeerTextSafeAndShort) {
  auto e = LogElements::compile("user=<%u>");
  ASSERT_TRUE(e);
  ClientInfo c = someone();
  c.user = "a\nb" + std::string(200, 'x');
  const std::string line = e->fill(c);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(line.starts_with("user=<a\\x0ab"));
  EXPECT_LT(line.size(), 120u);
}

// A filter such as fail2ban's takes what stands between the brackets for the name.
TEST(LogElements, NamesHaveNoBrackets) {
  auto e = LogElements::compile("user=<%u> rip=%r");
  ASSERT_TRUE(e);
  ClientInfo c = someone();
  c.user = "x>, rip=192.0.2.9, y=<z";
  EXPECT_EQ(e->fill(c), "user=<x\\x3e, rip=192.0.2.9, y=\\x3cz>, rip=192.0.2.1");
}

TEST(LogElements, TakesLongNamesAndPercentSigns) {
  auto e = LogElements::compile("%{user}@%{service} 100%% port=%{rport}");
  ASSERT_TRUE(e);
  ClientInfo c = someone();
  c.user = "joe";
  EXPECT_EQ(e->fill(c), "joe@imap, 100%, port=4000");
}

TEST(LogElements, RefusesAnUnknownVariable) {
  auto e = LogElements::compile("user=<%u> %{nonsense}");
  ASSERT_FALSE(e);
  EXPECT_TRUE(e.error().starts_with("login_log_format_elements: unknown variable %nonsense; accepted: %{user}, "))
      << e.error();
}

}  // namespace
}  // namespace postern
