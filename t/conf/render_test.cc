#include "conf/render.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "conf/row.h"
#include "conf_support.h"

namespace postern {
namespace {

void expect_round_trip(const std::string& text) {
  const LoadedConfiguration first = load(text);
  ASSERT_EQ(first.errors, std::vector<std::string>{});
  for (bool all : {false, true}) {
    const std::string dump = render_configuration(first.configuration, all, true);
    const LoadedConfiguration again = load(dump);
    ASSERT_EQ(again.errors, std::vector<std::string>{}) << dump;
    EXPECT_EQ(bytes_of(first.configuration), bytes_of(again.configuration)) << dump;
    EXPECT_EQ(render_configuration(again.configuration, all, true), dump);
  }
}

TEST(Dump, OfNothingIsNothing) {
  EXPECT_EQ(render_configuration(load("").configuration, false, true), "# x.conf\n");
  expect_round_trip("");
}

TEST(Dump, ShowsWhatDiffers) {
  EXPECT_EQ(
      render_configuration(
          load("hostname = \"h\"; login_timeout = \"90 secs\"; ssl = \"yes\";"
               "service: { imap-login: { process_limit = 5; inet_listener: { imap: { port = 1143; }; }; }; };")
              .configuration,
          false, true),
      "# x.conf\nhostname = \"h\";\nlogin_timeout = \"90 secs\";\nservice: {\n  imap-login: {\n    process_limit = 5;\n"
      "    inet_listener: {\n      imap: {\n        port = 1143;\n      };\n    };\n  };\n};\n");
}

TEST(Dump, ReadsBack) {
  expect_round_trip(sample_text());
  expect_round_trip("ssl = \"no\"; login_greeting = \"a \\\"quoted\\\" \\\\ text\"; auth_cache_size = 5000000001L;");
  expect_round_trip(
      "service: { imap-login: { service_count = 1; vsz_limit = 0; }; pop3-login: { vsz_limit = \"1 G\"; }; };");
  expect_round_trip(
      "service: { lmtp: { unix_listener = ( { path = \"lmtp\"; mode = \"0600\"; }, { path = \"/l\"; } ); }; };");
  expect_round_trip("service: { lmtp: { unix_listener = ( { path = \"lmtp\"; group = \"g\"; } ); }; };");
  expect_round_trip("default_process_limit = 7; default_idle_kill = 0; default_vsz_limit = \"unlimited\";");
  expect_round_trip("ssl_ca = \"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n\";");
  expect_round_trip(
      "passdb = ( { driver = \"static\"; fields: { reason = \"Try another\"; nologin = true; }; default_fields = \"a "
      "b=c\"; } );");
}

TEST(Dump, NestedFilterBlocksReadBack) {
  expect_round_trip(R"(
    remote = ( { network = "10.0.0.0/8"; protocol: { imap: { ssl = "no"; }; }; } );
    protocol: { imap: { login_greeting = "i"; local = ( { address = "::1"; login_greeting = "il"; } ); }; pop3: { ssl = "no"; }; };
    local_name = ( { name = [ "*.a", "a", "b.a" ]; login_greeting = "n"; remote = ( { network = "::/0"; ssl = "yes"; } ); } );
    local = ( { address = "127.0.0.1"; login_greeting = "l"; protocol: { imap: { login_greeting = "li"; }; }; } );)");
}

TEST(Dump, HidesSecrets) {
  const std::string text =
      "ssl_cert = \"/c\"; ssl_key = \"-----BEGIN PRIVATE KEY-----\nhush\";"
      "passdb = ( { driver = \"static\"; args = \"password=hush nopassword=y\"; override_fields = \"pass=hush\"; },"
      "{ driver = \"sql\"; sql_driver = \"sqlite\"; sql_connect = \"password=hush\"; },"
      "{ driver = \"oauth2\"; oauth2_introspection_url = \"https://mail:hush@id.example.org/\"; oauth2_client_secret = "
      "\"hush\"; } );";
  for (bool all : {false, true}) {
    const std::string hidden = render_configuration(load(text).configuration, all, false);
    EXPECT_EQ(hidden.find("hush"), std::string::npos) << hidden;
    EXPECT_NE(hidden.find("sql_connect = \"<hidden>\""), std::string::npos);
    EXPECT_NE(hidden.find("args = \"password=<hidden> nopassword=y\""), std::string::npos);
  }
  EXPECT_NE(render_configuration(load(text).configuration, false, true).find("pass=hush"), std::string::npos);
}

TEST(Sample, EveryLineIsAComment) {
  const LoadedConfiguration loaded = load(render_sample());
  EXPECT_EQ(loaded.errors, std::vector<std::string>{});
  EXPECT_EQ(bytes_of(loaded.configuration), bytes_of(load("").configuration));
}

// The values it shows are the defaults, and parse.
TEST(Sample, UncommentedItIsTheDefaults) {
  std::string text;
  const std::string sample = render_sample();
  for (std::string_view line : split_fields(sample, '\n')) {
    if (line.starts_with("# --- Password databases")) break;
    if (line.starts_with('#') && !line.starts_with("# ")) text += std::string(line.substr(1)) + "\n";
    else if (line.starts_with("#  ")) text += std::string(line.substr(1)) + "\n";
  }
  const LoadedConfiguration loaded = load(text);
  EXPECT_EQ(loaded.errors, std::vector<std::string>{}) << text;
  EXPECT_EQ(render_configuration(loaded.configuration, false, true), "# x.conf\n");
}

TEST(ManPage, HasEverySettingAndSection) {
  const std::string page = render_man_page(".Dd x\n@SETTINGS@\n.El @SYSCONFDIR@/y\n");
  EXPECT_TRUE(page.starts_with(".Dd x\n.Ss What runs\n.Bl -tag"));
  EXPECT_EQ(page.find("@SETTINGS@"), std::string::npos);
  EXPECT_EQ(page.find("@SYSCONFDIR@"), std::string::npos);
  for (const Row& row : setting_rows())
    EXPECT_NE(page.find(fmt::format(".It Ic {}\n", row.name)), std::string::npos) << row.name;
}

}  // namespace
}  // namespace postern
