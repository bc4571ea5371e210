#include "conf/older_names.h"

#include <gtest/gtest.h>

#include "conf/row.h"
#include "conf_support.h"

namespace postern {
namespace {

const std::string kPassdb = "passdb = ( { driver = \"static\"; args = \"nopassword=y\"; } );\n";

struct Older {
  const char* text;
  const char* warning;
};

class OlderNames : public testing::TestWithParam<Older> {};

TEST_P(OlderNames, AreTakenWithTheNewLine) {
  const LoadedConfiguration loaded = load(kPassdb + GetParam().text);
  EXPECT_EQ(loaded.errors, std::vector<std::string>{});
  EXPECT_EQ(loaded.warnings, std::vector<std::string>{GetParam().warning});
}

const Older kOlder[] = {
    {"auth_allow_cleartext = true;",
     "x.conf:2: auth_allow_cleartext: is an older name; write disable_plaintext_auth = false;"},
    {"auth_default_domain = \"d\";",
     "x.conf:2: auth_default_domain: is an older name; write auth_default_realm = \"d\";"},
    {"login_user = \"u\";", "x.conf:2: login_user: is an older name; write default_login_user = \"u\";"},
    {"service: { imap-login: { restart_request_count = \"unlimited\"; }; };",
     "x.conf:2: service.imap-login.restart_request_count: is an older name; write service_count = 0;"},
    {"service: { imap-login: { idle_kill_interval = \"infinite\"; }; };",
     "x.conf:2: service.imap-login.idle_kill_interval: is an older name; write idle_kill = 0;"},
    {"login_processes_count = 9;",
     "x.conf:2: login_processes_count: is an older name; write service: { NAME-login: { process_min_avail = 9; }; };"},
    {"login_process_per_connection = \"no\";",
     "x.conf:2: login_process_per_connection: is an older name; write service: { NAME-login: { service_count = 0; }; "
     "};"},
    {"service: { anvil: { client_limit = 5; }; };",
     "x.conf:2: service.anvil: is an older name; write service: { state: { ... }; };"},
    {"protocols = \"imaps pop3\";", "x.conf:2: protocols: \"imaps\" is an older name; write \"imap\""},
    {"imap_id_send: { name = \"x\"; vendor = \"y\"; };",
     "x.conf:2: imap_id_send: is an older form; write imap_id_send = \"name x vendor y\";"},
    {"userdb = ( { driver = \"static\"; fields_import_all = true; } );",
     "x.conf:2: userdb 1.fields_import_all: is not needed any more; remove it"},
    {"remote = ( { network = \"::/0\"; auth_allow_cleartext = false; } );",
     "x.conf:2: remote 1.auth_allow_cleartext: is an older name; write disable_plaintext_auth = true;"},
};

INSTANTIATE_TEST_SUITE_P(Table, OlderNames, testing::ValuesIn(kOlder));

TEST(OlderNames, TakeEffect) {
  const Configuration c =
      load(
          "login_process_per_connection = false; login_max_processes_count = 12; login_process_size = 64;\n"
          "login_max_connections = 300; login_executable = \"/l\"; auth_allow_cleartext = true;\n"
          "passdb = ( { driver = \"static\"; pass = true; mechanisms_filter = \"plain\"; } );")
          .configuration;
  for (const char* name : {"imap-login", "pop3-login"}) {
    const ServiceSettings& s = *c.service(name);
    EXPECT_EQ(s.service_count, 0);
    EXPECT_EQ(s.process_limit, 12);
    EXPECT_EQ(s.vsz_limit, 64 * kMiB);
    EXPECT_EQ(s.client_limit, 300);
    EXPECT_EQ(s.executable, "/l");
  }
  EXPECT_FALSE(c.settings.flag(Key::disable_plaintext_auth));
  EXPECT_EQ(c.passdbs[0].result_success, "continue");
  EXPECT_EQ(c.passdbs[0].mechanisms, std::vector<std::string>{"plain"});
}

TEST(OlderNames, ThePenaltySocketOfAnvil) {
  const auto loaded =
      load(kPassdb + "service: { anvil: { unix_listener = ( { path = \"anvil-auth-penalty\"; mode = \"0\"; } ); }; };");
  EXPECT_EQ(loaded.errors, std::vector<std::string>{});
  EXPECT_FALSE(loaded.configuration.settings.flag(Key::auth_penalty));
}

TEST(OlderNames, NotBesideTheNewOnes) {
  EXPECT_EQ(errors_of(kPassdb + "ssl_key = \"/k\"; ssl_cert = \"/c\"; ssl_server_cert_file = \"/d\";").substr(0, 95),
            "x.conf:2: ssl_server_cert_file = \"/d\": is the older name of ssl_cert, which is there too; accep");
  EXPECT_EQ(errors_of(kPassdb + "login_processes_count = 2; service: { pop3-login: { process_min_avail = 1; }; };"),
            "x.conf:2: login_processes_count = 2: is the older name of service.pop3-login.process_min_avail, which is "
            "there too; accepted: one of them");
}

}  // namespace
}  // namespace postern
