// PAM's args, and the system's users as passdb; PAM itself is in t/system/pam_test.py.
#include <gtest/gtest.h>

#include "auth/db_pam_plan.h"
#include "auth/db_passwd.h"
#include "auth/fake_variables.h"

namespace postern {
namespace {

Result<PamPlan> plan(const char* args) {
  DatabaseSettings s;
  s.args = args;
  return PamPlan::from(s);
}

std::string service(const char* args) {
  const auto p = plan(args);
  return p ? p->service.expand(FakeVariables("joe@x").set(Variable::Service, "imap")) : "ERROR " + p.error();
}

TEST(Pam, Services) {  // AUTH-21
  EXPECT_EQ(service(""), "dovecot");
  EXPECT_EQ(service("mail"), "mail");
  EXPECT_EQ(service("*"), "imap");
  EXPECT_EQ(service("session=yes %s-%d"), "imap-x");
  EXPECT_EQ(service("session=yes"), "dovecot");
  EXPECT_EQ(service("a b"),
            "ERROR args: a: accepted: session=yes, setcred=yes, failure_show_msg=yes, max_requests=NUMBER, "
            "cache_key=KEY, and the service's name at the end");
  EXPECT_EQ(service("%Z"), "ERROR args: %Z: at position 1: unknown variable '%Z'");
}

TEST(Pam, Options) {
  const auto usual = plan("");
  ASSERT_TRUE(usual);
  EXPECT_FALSE(usual->session || usual->setcred || usual->failure_show_msg);
  EXPECT_EQ(usual->max_requests, 100u);
  const auto all = plan("session=yes setcred=yes failure_show_msg=yes max_requests=7 cache_key=%u%s blocking=no x");
  ASSERT_TRUE(all) << all.error();
  EXPECT_TRUE(all->session && all->setcred && all->failure_show_msg);
  EXPECT_EQ(all->max_requests, 7u);
  EXPECT_EQ(all->cache_key.expand(FakeVariables("joe")), "joe");
  EXPECT_EQ(plan("session=maybe").error(), "args: maybe: accepted: yes, no");
  EXPECT_EQ(plan("max_requests=-1").error(), "args: -1: accepted: max_requests=NUMBER");
  EXPECT_FALSE(plan("cache_key=%Z"));
}

TEST(Pam, Traits) {
  DatabaseSettings s;
  s.args = "*";
  const auto traits = describe_pam(s, DbKind::Passdb);
  ASSERT_TRUE(traits);
  EXPECT_TRUE(traits->verifies);
  EXPECT_EQ(traits->uses,
            (std::vector<VariableUse>{{Variable::Service, ""}, {Variable::User, ""}, {Variable::RemoteIp, ""}}));
}

TEST(PasswdPassdb, NobodysPassword) {
  DatabaseSettings s;
  const auto traits = describe_passwd(s, DbKind::Passdb);
  ASSERT_TRUE(traits);
  EXPECT_EQ(traits->default_scheme, "CRYPT");
  auto db = open_passwd(s, DbKind::Passdb);
  ASSERT_TRUE(db);
  for (const char* user :
       {"", "no such user", "daemon"})  // the last is locked; without root its password may not be read
    EXPECT_NE((*db)->lookup(FakeVariables(user), nullptr).result, LookupResult::Found) << user;
}

}  // namespace
}  // namespace postern
