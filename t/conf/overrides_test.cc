#include "conf/overrides.h"

#include <gtest/gtest.h>

#include "conf_support.h"

namespace postern {
namespace {

struct Connection {
  const char* protocol;
  const char* local;
  const char* remote;
  const char* name;
};

std::string greeting(const Configuration& c, const Connection& at) {
  const ConnectionFilter filter{at.protocol, *IpAddress::parse(at.local), *IpAddress::parse(at.remote), at.name};
  return merged_settings(c, matching_overrides(c, filter)).text(Key::login_greeting);
}

TEST(Names, AWildcardIsOneLabel) {
  EXPECT_TRUE(name_matches("mail.example.com", "MAIL.example.com"));
  EXPECT_TRUE(name_matches("*.example.com", "a.example.COM"));
  EXPECT_FALSE(name_matches("*.example.com", "a.b.example.com"));
  EXPECT_FALSE(name_matches("*.example.com", "example.com"));
  EXPECT_FALSE(name_matches("*.example.com", ".example.com"));
  EXPECT_FALSE(name_matches("*.example.com", ""));
}

const char kEach[] = R"(
login_greeting = "none";
remote = ( { network = "10.0.0.0/8"; login_greeting = "remote"; },
           { network = "10.1.0.0/16"; login_greeting = "remote16"; },
           { network = "10.0.0.0/8"; imap_literal_minus = true; } );
local_name = ( { name = "a.example"; login_greeting = "exact"; }, { name = "*.example"; login_greeting = "wild"; } );
local = ( { address = [ "192.0.2.1", "2001:db8::1" ]; login_greeting = "local"; } );
protocol: { pop3: { login_greeting = "pop3"; }; };
)";

// DECISIONS section 2: protocol < local < local_name < remote, whatever their order in the file.
TEST(Overrides, LaterKindsWin) {
  const Configuration c = load(kEach).configuration;
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.9", "192.0.2.99", ""}), "none");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.9", "192.0.2.99", ""}), "pop3");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "192.0.2.99", ""}), "local");
  EXPECT_EQ(greeting(c, {"imap", "2001:db8::1", "192.0.2.99", ""}), "local");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "192.0.2.99", "b.example"}), "wild");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "192.0.2.99", "A.example"}), "exact");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "192.0.2.99", "x.y.example"}), "local");
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "10.0.0.1", "a.example"}), "remote");
}

TEST(Overrides, TheLongerNetworkWins) {
  EXPECT_EQ(greeting(load(kEach).configuration, {"imap", "192.0.2.9", "10.1.2.3", ""}), "remote16");
}

TEST(Overrides, TheLaterOneInTheFileWins) {
  const Configuration c = load(
                              "local = ( { address = \"192.0.2.1\"; login_greeting = \"1\"; },"
                              "{ address = \"192.0.2.1\"; login_greeting = \"2\"; } );")
                              .configuration;
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "192.0.2.99", ""}), "2");
}

TEST(Overrides, InnerBlocksWinAndAllConditionsMustHold) {
  const Configuration c = load(R"(
    local_name = ( { name = [ "*.com", "example.com" ]; login_greeting = "outer";
                     protocol: { imap: { login_greeting = "inner"; }; }; } );
    remote = ( { network = "10.0.0.0/8"; login_greeting = "remote"; } );)")
                              .configuration;
  EXPECT_EQ(greeting(c, {"pop3", "192.0.2.1", "192.0.2.9", "example.com"}), "outer");
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "192.0.2.9", "example.com"}), "inner");
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "10.0.0.9", "example.com"}), "inner");
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "10.0.0.9", "other.org"}), "remote");
}

TEST(Overrides, ExactNamesWinOverWildcardsOfTheSameBlock) {
  const Configuration c = load(
                              "local_name = ( { name = [ \"*.example\", \"a.example\" ]; login_greeting = \"both\"; },"
                              "{ name = \"*.example\"; login_greeting = \"wild\"; } );")
                              .configuration;
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "10.0.0.9", "a.example"}), "both");
  EXPECT_EQ(greeting(c, {"imap", "192.0.2.1", "10.0.0.9", "b.example"}), "wild");
}

TEST(Overrides, OneMergedCopyForEachSet) {
  const Configuration c = load(kEach).configuration;
  OverrideCache cache(c);
  const ConnectionFilter none{"imap", *IpAddress::parse("192.0.2.9"), *IpAddress::parse("192.0.2.99")};
  const ConnectionFilter pop3{"pop3", *IpAddress::parse("192.0.2.9"), *IpAddress::parse("192.0.2.99")};
  const ConnectionFilter other{"pop3", *IpAddress::parse("192.0.2.8"), *IpAddress::parse("192.0.2.98")};
  EXPECT_EQ(&cache.settings_for(none), &c.settings);
  EXPECT_EQ(&cache.settings_for(pop3), &cache.settings_for(other));
  EXPECT_EQ(cache.settings_for(pop3).text(Key::login_greeting), "pop3");
}

}  // namespace
}  // namespace postern
