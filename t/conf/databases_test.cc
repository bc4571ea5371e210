#include <gtest/gtest.h>

#include "conf/dovecot_file.h"
#include "conf/fields.h"
#include "conf_support.h"

namespace postern {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Databases, TheSamples) {
  const Configuration c = load(sample_text()).configuration;
  EXPECT_EQ(c.passdbs[0].name, "passdb 1");
  EXPECT_EQ(c.passdbs[0].driver, "passwd-file");
  EXPECT_TRUE(c.passdbs[0].master);
  EXPECT_EQ(c.passdbs[0].result_success, "continue");
  EXPECT_EQ(c.passdbs[1].default_fields, (FieldList{{"proxy", "y"}, {"starttls", "yes"}}));
  EXPECT_EQ(c.passdbs[1].username_filter, (std::vector<std::string>{"*@example.org", "*@example.net"}));
  EXPECT_EQ(c.passdbs[1].driver_settings.at("sql_driver"), "sqlite");
  EXPECT_EQ(c.passdbs[1].driver_settings.at("sql_password_query"),
            "SELECT userid AS user, password, host, 'Y' AS proxy FROM users WHERE userid = '%n' AND domain = '%d' AND "
            "note <> '#1'");
  EXPECT_EQ(c.passdbs[2].driver_settings.at("sql_connect"),
            "host=sqlhost1 host=sqlhost2 dbname=mail user=postern password=secret");
  EXPECT_EQ(c.passdbs[3].driver_fields, (FieldList{{"proxy", "y"}, {"host", "10.0.0.5"}, {"nopassword", "y"}}));
  EXPECT_EQ(c.passdbs[4].driver_fields, (FieldList{{"proxy", ""}, {"host", "10.0.0.6"}, {"nopassword", ""}}));
  EXPECT_EQ(c.userdbs[1].driver_fields[2].second, "/srv/mail/%d/%n");
}

TEST(Databases, Names) {
  const Configuration c =
      load("passdb = ( { driver = \"static\"; name = \"all\"; }, { driver = \"passwd\"; } );").configuration;
  EXPECT_EQ(c.passdbs[0].name, "all");
  EXPECT_EQ(c.passdbs[1].name, "passdb 2");
  EXPECT_EQ(c.passdbs[1].where, "x.conf:1");
}

TEST(Databases, Errors) {
  EXPECT_EQ(errors_of("passdb = ( { args = \"x\"; } );"),
            "x.conf:1: passdb 1: needs a driver; accepted: static, passwd-file, passwd, shadow, sql, ldap, redis, pam, "
            "http, oauth2");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"prefetch\"; } );"),
            "x.conf:1: passdb 1.driver = \"prefetch\": is not one of its words; accepted: static, passwd-file, passwd, "
            "shadow, sql, ldap, redis, pam, http, oauth2");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"sql\"; args = \"/x\"; sql_driver = \"sqlite\"; } );"),
            "x.conf:1: passdb 1.args = \"/x\": stands beside keys with sql_; accepted: the file, or such keys");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"static\"; args = \"a\"; fields: { b = true; }; } );"),
            "x.conf:1: passdb 1.args = \"a\": stands beside fields; accepted: one of them");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"sql\"; args = \"/nowhere/x\"; } );"),
            "x.conf:1: passdb 1.args = \"/nowhere/x\": cannot be read: No such file or directory");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"sql\"; sql_conect = \"x\"; } );"),
            "x.conf:1: passdb 1.sql_conect = \"x\": is unknown; did you mean sql_connect?");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"ldap\"; ldap_pass_filtre = \"x\"; } );"),
            "x.conf:1: passdb 1.ldap_pass_filtre = \"x\": is unknown; did you mean ldap_pass_filter?");
  EXPECT_EQ(errors_of("passdb = ( { driver = \"static\"; sql_driver = \"x\"; } );"),
            "x.conf:1: passdb 1.sql_driver = \"x\": is unknown");
  EXPECT_EQ(
      errors_of("passdb = ( { driver = \"static\"; skip = \"found\"; } );"),
      "x.conf:1: passdb 1.skip = \"found\": is not one of its words; accepted: never, authenticated, unauthenticated");
}

TEST(DovecotFile, CommentsContinuationsQuotes) {
  const DovecotFile file = parse_dovecot_file(
      "# c\n\n a = b # c\nquery = x \\\n  y='#' \\\n z\nq = \"a \\\"b\\\" \"\nempty =\nlast = end \\");
  EXPECT_EQ(file.errors, std::vector<std::string>{});
  EXPECT_EQ(file.values,
            (Pairs{{"a", "b"}, {"query", "x y='#' z"}, {"q", "a \"b\" "}, {"empty", ""}, {"last", "end"}}));
}

TEST(DovecotFile, LinesThatAreNone) {
  EXPECT_EQ(parse_dovecot_file("a = b\nfoo bar\n!include x\n").errors,
            (std::vector<std::string>{"2: foo bar: is not KEY = VALUE", "3: !include x: is not KEY = VALUE"}));
}

}  // namespace
}  // namespace postern
