#include "ctl/commands.h"

#include <gtest/gtest.h>

#include "ctl/table.h"

namespace postern {
namespace {

const Command* named(std::vector<std::string> words) { return find_command(words); }

Result<AdminRequest> request(const std::string& command, std::vector<std::string> words, std::string backend = "") {
  const Command* c = nullptr;
  for (const Command& row : commands())
    if (row.name == command) c = &row;
  Arguments arguments;
  arguments.words = std::move(words);
  arguments.backend = std::move(backend);
  return request_from(*c, arguments);
}

TEST(Commands, AreFoundByTheirWords) {
  EXPECT_EQ(named({"who", "x"})->name, "who");
  EXPECT_EQ(named({"proxy", "kick", "who"})->name, "proxy kick");
  EXPECT_EQ(named({"proxy"}), nullptr);
  EXPECT_EQ(named({}), nullptr);
  EXPECT_EQ(named({"x"}), nullptr);
}

TEST(Commands, EachHasItsHelp) {
  for (const Command& c : commands()) {
    EXPECT_NE(usage_text().find(std::string(c.summary)), std::string::npos) << c.name;
    EXPECT_EQ(help_text(c).find("Usage: posternctl " + std::string(c.name)), 0u) << c.name;
  }
}

// ADM-1
TEST(Commands, TellUsersFromNetworks) {
  const auto r = request("who", {"joe@*", "192.0.2.0/24", "123", "10"});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->users, (std::vector<std::string>{"joe@*", "123", "10"}));
  EXPECT_EQ(r->network, "192.0.2.0/24");
  EXPECT_FALSE(r->proxied);
  EXPECT_EQ(request("who", {"2001:db8::/32"})->network, "2001:db8::/32");
  EXPECT_FALSE(request("who", {"192.0.2.1", "192.0.2.2"}));
  EXPECT_TRUE(request("proxy list", {})->proxied);
}

TEST(Commands, KickNobodyByAccident) {
  EXPECT_FALSE(request("kick", {}));
  EXPECT_FALSE(request("proxy kick", {}));
  EXPECT_TRUE(request("kick", {"*"}));
  EXPECT_TRUE(request("proxy kick", {}, "10.0.0.1"));
  EXPECT_FALSE(request("proxy kick", {}, "backend"));
}

TEST(Table, FitsItsWidestText) {
  Table table({"username", "#", "proto"});
  table.add({"joe", "10", "imap"});
  table.add({"a-longer-name", "1", "pop3"});
  EXPECT_EQ(table.text(), "username        #  proto\njoe            10  imap\na-longer-name   1  pop3\n");
}

TEST(Table, EscapesAndCountsCharacters) {
  Table table({"username", "ip"});
  table.add({"\x1b[31m", "::1"});
  table.add({"j\xc3\xb6", "::1"});
  EXPECT_EQ(table.text(), "username  ip\n\\x1b[31m  ::1\nj\xc3\xb6        ::1\n");
}

// What one side writes, the other reads.
TEST(Admin, RequestsAndAnswersSurvive) {
  AdminRequest r;
  r.command = "kick";
  r.users = {"a", "b\"\\"};
  r.network = "::1";
  r.proxied = true;
  std::string line = encode_admin(r);
  ASSERT_EQ(line.back(), '\n');
  line.pop_back();
  const auto back = decode_admin_request(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->users, r.users);
  EXPECT_EQ(back->network, r.network);
  EXPECT_TRUE(back->proxied);

  AdminSession s;
  s.user = "j\xff";
  s.host = "10.0.0.1";
  s.port = 993;
  s.pid = 4711;
  const auto session = decode_admin_answer(encode_admin(s));
  ASSERT_TRUE(session);
  EXPECT_EQ(std::get<AdminSession>(*session).user, "j\xef\xbf\xbd");
  EXPECT_EQ(std::get<AdminSession>(*session).port, 993);
  const auto end = decode_admin_answer(encode_admin(AdminEnd{67, 0, "why"}));
  ASSERT_TRUE(end);
  EXPECT_EQ(std::get<AdminEnd>(*end).status, 67);
  EXPECT_EQ(std::get<AdminEnd>(*end).error, "why");
}

TEST(Admin, RefusesNonsense) {
  for (const char* line :
       {"", "x", "[]", "1", "{\"v\":1", "{\"cmd\":\"who\"}", "{\"v\":2,\"cmd\":\"who\"}", "{\"v\":1,\"cmd\":7}",
        "{\"v\":1,\"cmd\":\"who\",\"users\":\"joe\"}", "{\"v\":1,\"cmd\":\"who\",\"users\":[1]}", "{\"v\":\"1\"}",
        "{\"v\":1,\"proxied\":1}", "{\"v\":4294967297,\"cmd\":\"who\"}"})
    EXPECT_FALSE(decode_admin_request(line)) << line;
  EXPECT_FALSE(decode_admin_request(std::string(kMaxAdminLine, '[')));
  EXPECT_FALSE(decode_admin_answer("{\"user\":\"x\",\"port\":70000}"));
}

}  // namespace
}  // namespace postern
