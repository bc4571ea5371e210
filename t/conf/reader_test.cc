#include "conf/reader.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "conf/row.h"
#include "conf_support.h"

namespace postern {
namespace {

using testing::Test;
using Texts = std::vector<std::string>;

// Every test of rules between settings wants a file that is right otherwise.
const std::string kPassdb = "passdb = ( { driver = \"static\"; args = \"nopassword=y\"; } );\n";

TEST(Reader, TheSampleParses) {
  const LoadedConfiguration loaded = load(sample_text());
  EXPECT_EQ(loaded.errors, Texts{});
  EXPECT_EQ(loaded.warnings, (Texts{fmt::format("x.conf:52: passdb 2.args: unused_key in {} is not used",
                                                data_file("postern-sql.conf.ext"))}));
}

TEST(Reader, TheSamplesValues) {
  const Configuration c = load(sample_text()).configuration;
  EXPECT_EQ(c.settings.text(Key::hostname), "mx.example.org");
  EXPECT_EQ(c.settings.text(Key::ssl), "required");
  EXPECT_EQ(c.settings.text(Key::ssl_cert), "/etc/postern/tls/mx.pem");
  EXPECT_EQ(c.settings.list(Key::login_trusted_networks), (Texts{"10.0.0.0/8", "2001:db8:1::/48"}));
  EXPECT_EQ(c.settings.time(Key::login_proxy_max_disconnect_delay), Milliseconds(60000));
  EXPECT_EQ(c.settings.number(Key::auth_cache_size), 16 * kMiB);
  EXPECT_EQ(c.settings.list(Key::haproxy_trusted_networks), Texts{"192.0.2.200"});
  EXPECT_EQ(c.overrides.size(), 9u);
  ASSERT_EQ(c.passdbs.size(), 5u);
  EXPECT_EQ(c.userdbs.size(), 2u);
}

TEST(Reader, TheSamplesServices) {
  const Configuration c = load(sample_text()).configuration;
  const ServiceSettings& imap = *c.service("imap-login");
  EXPECT_TRUE(imap.enabled);
  EXPECT_EQ(imap.process_min_avail, 4);
  EXPECT_EQ(imap.client_limit, 20000);
  EXPECT_EQ(imap.service_count, 0);
  EXPECT_EQ(imap.vsz_limit, 0);
  ASSERT_EQ(imap.inet_listeners.size(), 3u);
  EXPECT_EQ(imap.inet_listeners[1].name, "imaps");
  EXPECT_TRUE(imap.inet_listeners[1].ssl);
  EXPECT_EQ(imap.inet_listeners[2].port, 10143);
  EXPECT_TRUE(imap.inet_listeners[2].haproxy);
  EXPECT_EQ(imap.inet_listeners[2].address, Texts{"10.0.0.1"});
  const ServiceSettings& pop3 = *c.service("pop3-login");
  EXPECT_EQ(pop3.client_limit, 1);  // MASTER-2
  EXPECT_EQ(pop3.vsz_limit, 256 * kMiB);
  EXPECT_EQ(pop3.user, "posternlogin");
  ASSERT_EQ(pop3.inet_listeners.size(), 2u);
  EXPECT_EQ(pop3.inet_listeners[1].port, 995);
  EXPECT_TRUE(c.service("submission-login")->enabled);
  EXPECT_EQ(c.service("lmtp")->unix_listeners[0].mode, 0660);
  EXPECT_EQ(c.service("imap")->executable, "/usr/lib/dovecot/imap");
  EXPECT_EQ(c.service("auth")->process_limit, 1);
}

TEST(Reader, ListenersReplaceOneByOne) {
  const auto c = load("service: { imap-login: { inet_listener: { imap: { port = 0; }; }; }; };").configuration;
  const auto& listeners = c.service("imap-login")->inet_listeners;
  ASSERT_EQ(listeners.size(), 2u);
  EXPECT_EQ(listeners[0].port, 0);
  EXPECT_EQ(listeners[1].port, 993);
}

TEST(Reader, ASocketKeepsWhatIsNotSet) {
  const auto c =
      load("service: { lmtp: { unix_listener = ( { path = \"lmtp\"; group = \"g\"; }, { path = \"other\"; } ); }; };")
          .configuration;
  const auto& sockets = c.service("lmtp")->unix_listeners;
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].mode, 0666);
  EXPECT_EQ(sockets[0].group, "g");
  EXPECT_EQ(sockets[0].where, "x.conf:1");
  EXPECT_EQ(sockets[1].mode, 0600);
}

TEST(Reader, WithoutTlsListenersWithTlsAreLeftOut) {
  const auto c = load("ssl = \"no\";").configuration;
  ASSERT_EQ(c.service("imap-login")->inet_listeners.size(), 1u);
  const auto some = load("ssl = \"no\"; protocol: { imap: { ssl = \"yes\"; }; };").configuration;
  EXPECT_EQ(some.service("imap-login")->inet_listeners.size(), 2u);
  EXPECT_EQ(some.service("pop3-login")->inet_listeners.size(), 1u);
}

// --- errors: one shape each ------------------------------------------------------------

struct BadFile {
  const char* text;
  const char* error;
};

class Errors : public testing::TestWithParam<BadFile> {};

TEST(Reader, ASocketOfAServiceThatIsNoLoginServiceIsToldAbout) {
  EXPECT_EQ(load(kPassdb + "service: { auth: { unix_listener = ( { path = \"userdb\"; } ); }; };").warnings,
            Texts{"x.conf:2: service.auth.unix_listener: has no effect: only login services listen at sockets in the "
                  "file system"});
}

TEST_P(Errors, NamePlaceValueAndWhatIsAccepted) { EXPECT_EQ(errors_of(kPassdb + GetParam().text), GetParam().error); }

const BadFile kBadFiles[] = {
    {"login_timeout = 30;",
     "x.conf:2: login_timeout = 30: is missing units; accepted: a time from 1 sec to 1 day such as \"30 secs\""},
    {"\nlogin_timeout = \"2 days\";",
     "x.conf:3: login_timeout = \"2 days\": is too large; accepted: a time from 1 sec to 1 day such as \"30 secs\""},
    {"login_greetin = \"x\";", "x.conf:2: login_greetin = \"x\": is unknown; did you mean login_greeting?"},
    {"zzzzzzzzzzzz = 1;", "x.conf:2: zzzzzzzzzzzz = 1: is unknown"},
    {"Ssl = true;", "x.conf:2: Ssl = true: is unknown; did you mean ssl?"},
    {"auth_verbose = 1;", "x.conf:2: auth_verbose = 1: is a number; accepted: true, false, \"yes\", \"no\""},
    {"auth_verbose = \"perhaps\";",
     "x.conf:2: auth_verbose = \"perhaps\": is neither yes nor no; accepted: true, false, \"yes\", \"no\""},
    {"login_proxy_ttl = -1;", "x.conf:2: login_proxy_ttl = -1: is too small; accepted: a number from 1 to 255"},
    {"login_proxy_ttl = 1.5;",
     "x.conf:2: login_proxy_ttl = 1.5: has a decimal point; accepted: a number from 1 to 255"},
    {"login_proxy_ttl = \"x\";",
     "x.conf:2: login_proxy_ttl = \"x\": is not a number; accepted: a number from 1 to 255"},
    {"login_proxy_ttl = [ 1 ];", "x.conf:2: login_proxy_ttl = [ 1 ]: is a list; accepted: a number from 1 to 255"},
    {"login_proxy_ttl = { };", "x.conf:2: login_proxy_ttl: is a group; accepted: a number from 1 to 255"},
    {"ssl = \"maybe\";", "x.conf:2: ssl = \"maybe\": is not one of its words; accepted: no, yes, required"},
    {"ssl = \"requird\";",
     "x.conf:2: ssl = \"requird\": is not one of its words (did you mean required?); accepted: no, yes, required"},
    {"ssl_client_ca_dir = \"certs\";",
     "x.conf:2: ssl_client_ca_dir = \"certs\": is not an absolute path; accepted: an absolute path"},
    {"base_dir = \"\";", "x.conf:2: base_dir = \"\": is empty; accepted: an absolute path"},
    {"log_path = \"sysloge\";",
     "x.conf:2: log_path = \"sysloge\": is not an absolute path; accepted: an absolute path or syslog"},
    {"protocols = \"imap pop4\";",
     "x.conf:2: protocols = \"imap pop4\": \"pop4\" is unknown (did you mean pop3?); accepted: a list of imap, pop3, "
     "submission, lmtp, sieve"},
    {"login_trusted_networks = [ \"10.0.0.0/8\", \"10.0.0.0/33\" ];",
     "x.conf:2: login_trusted_networks = [ \"10.0.0.0/8\", \"10.0.0.0/33\" ]: \"10.0.0.0/33\" is not a network; "
     "accepted: addresses or networks such as \"192.0.2.0/24\", in an array or one string"},
    {"auth_realms = [ 1, 2 ];",
     "x.conf:2: auth_realms = [ 1, 2 ]: holds something else than strings; accepted: an array of strings, or one "
     "string split at blanks and commas"},
    {"login_greeting = \"a\nb\";",
     "x.conf:2: login_greeting = \"a\\x0ab\": has a control character; accepted: a string of at most 200 bytes"},
    {"auth_master_user_separator = \"**\";",
     "x.conf:2: auth_master_user_separator = \"**\": is too long; accepted: a string of at most 1 bytes"},
    {"auth_verbose_passwords = \"sha1:x\";",
     "x.conf:2: auth_verbose_passwords = \"sha1:x\": has no number behind the colon; accepted: no, plain, sha1, each "
     "also as WORD:LENGTH"},
    {"service: { imap-logn: { }; };", "x.conf:2: service.imap-logn: is unknown; did you mean imap-login?"},
    {"service: { auth: { clientlimit = 1; }; };",
     "x.conf:2: service.auth.clientlimit = 1: is unknown; did you mean client_limit?"},
    {"service: { auth: 1; };", "x.conf:2: service.auth = 1: is not a group; accepted: { ... }"},
    {"service = 1;", "x.conf:2: service = 1: is not a group; accepted: { ... }"},
    {"service: { imap-login: { inet_listener: { imap: { port = 65536; }; }; }; };",
     "x.conf:2: service.imap-login.inet_listener.imap.port = 65536: is too large; accepted: a number from 0 to 65535"},
    {"service: { imap-login: { inet_listener: { imap: { prot = 1; }; }; }; };",
     "x.conf:2: service.imap-login.inet_listener.imap.prot = 1: is unknown; did you mean port?"},
    {"service: { lmtp: { unix_listener = ( { path = \"l\"; mode = 660; } ); }; };",
     "x.conf:2: service.lmtp.unix_listener 1.mode = 660: must stand in quotes (libconfig reads it as decimal); "
     "accepted: octal digits in quotes such as \"0660\""},
    {"service: { lmtp: { unix_listener = ( { mode = \"0660\"; } ); }; };",
     "x.conf:2: service.lmtp.unix_listener 1: needs a path"},
    {"local = ( { ssl = \"no\"; } );", "x.conf:2: local 1: needs address = ..."},
    {"local = \"x\";", "x.conf:2: local = \"x\": is not a list; accepted: ( { ... }, { ... } )"},
    {"remote = ( { network = \"10.0.0.0/8\"; hostname = \"x\"; } );",
     "x.conf:2: remote 1.hostname = \"x\": cannot be overridden; accepted: at the top of the file only"},
    {"remote = ( { network = \"10.0.0.0/8\"; login_greting = \"x\"; } );",
     "x.conf:2: remote 1.login_greting = \"x\": is unknown; did you mean login_greeting?"},
    {"local_name = ( { name = \"a.*.example\"; ssl = \"no\"; } );",
     "x.conf:2: local_name 1: name \"a.*.example\" has a * elsewhere than in front of a domain"},
    {"protocol: { imap4: { ssl = \"no\"; }; };", "x.conf:2: protocol.imap4: is unknown; did you mean imap?"},
    {"protocol: { imap: { protocol: { pop3: { ssl = \"no\"; }; }; }; };",
     "x.conf:2: protocol.imap.protocol.pop3: can never hold inside protocol.imap"},
    {"auth_cache_size = 5000000000;",
     "x.conf:2: auth_cache_size = 5000000000: is too large for an integer without L; accepted: 5000000000L"},
    {"auth_cache_size = 99999999999999999999L;",
     "x.conf:2: auth_cache_size = 99999999999999999999L: is too large; accepted: integers of 64 bits\n"
     "x.conf:2: auth_cache_size = 9223372036854775807: is too large; accepted: a size from 0 to 1024 T such as \"64 "
     "M\""},
    {"first_valid_uid = 0xFFFFFFFF;",
     "x.conf:2: first_valid_uid = 0xFFFFFFFF: is too large for an integer without L; accepted: 0xFFFFFFFFL\n"
     "x.conf:2: first_valid_uid = -1: is too small; accepted: a number from 0 to 4294967294"},
    // MASTER-3
    {"service: { imap-login: { process_min_avail = 5; process_limit = 4; }; };",
     "x.conf:2: service.imap-login.process_min_avail = 5: 5 is more than process_limit; accepted: up to 4"},
    {"service: { log: { process_limit = 2; }; };",
     "x.conf:2: service.log.process_limit = 2: there is one process of this service; accepted: 1"},
    {"service: { imap-login: { inet_listener: { other: { port = 110; address = \"::\"; }; }; }; };",
     "x.conf:2: service.pop3-login.inet_listener.pop3: :: port 110 is already a listener of imap-login.other"},
    {"auth_cache_size = 64;",
     "x.conf:2: auth_cache_size = 64: is too small; accepted: 0, or at least 1 K (the unit is bytes)"},
    {"auth_username_translation = \"abc\";",
     "x.conf:2: auth_username_translation = \"abc\": has an odd number of characters; accepted: pairs"},
    {"ssl_cert = \"/a\";", "x.conf:2: ssl_cert: is of no use without ssl_key"},
    {"local = ( { address = \"127.0.0.1\"; ssl_cert = \"/a\"; } );",
     "x.conf:2: local: a block sets ssl_cert without ssl_key"},
    // syntax
    {"ssl = yes;",
     "x.conf:2: syntax error in or before: ssl = yes;; accepted: NAME = VALUE; with strings, times and yes/no in "
     "quotes"},
    {"ssl = \"no\";\nssl = \"yes\";",
     "x.conf:3: duplicate setting name in or before: ssl = \"yes\";; accepted: NAME = VALUE; with strings, times and "
     "yes/no in quotes"},
    {"login_timeout = 60 secs;",
     "x.conf:2: syntax error in or before: login_timeout = 60 secs;; accepted: NAME = VALUE; with strings, times and "
     "yes/no in quotes"},
    {"@include \"/nowhere/x.conf\"\n",
     "x.conf:2: @include \"/nowhere/x.conf\": cannot be included: No such file or directory"},
    {"@include \"/dev/zero\"\n", "x.conf:2: @include \"/dev/zero\": cannot be included: not a regular file"},
};

INSTANTIATE_TEST_SUITE_P(Files, Errors, testing::ValuesIn(kBadFiles));

TEST(Reader, AllErrorsInOneRun) {
  EXPECT_EQ(load("ssl = \"x\";\nauth_debug = 7;\nnope_nope_nope = 1;\n").errors.size(), 3u);
}

TEST(Reader, AtMostFiftyErrors) {
  std::string text;
  for (int i = 0; i < 80; ++i) text += fmt::format("unknown_setting_{} = 1;\n", i);
  EXPECT_EQ(load(text).errors.size(), 50u);
}

TEST(Reader, NulBytesAreRefused) {
  EXPECT_EQ(errors_of(std::string("# x\nhostname = \"a\0b\";", 21)), "x.conf:2: has a NUL byte");
}

TEST(Reader, LargeIntegersInStringsAndCommentsAreNone) {
  EXPECT_EQ(
      errors_of(kPassdb + "hostname = \"5000000000\"; # 5000000000\n/* 5000000000 */ auth_cache_size = 5000000000L;"),
      "");
}

TEST(Reader, SecretsDoNotShowInErrors) {
  const std::string errors = errors_of(
      "passdb = ( { driver = \"redis\"; sql_connect = \"password=hush\"; } );\n"
      "ssl_ca = \"-----BEGIN PRIVATE KEY-----\";\nssl_min_protocol = \"-----BEGIN x\";");
  EXPECT_EQ(errors.find("hush"), std::string::npos);
  EXPECT_EQ(errors.find("BEGIN"), std::string::npos);
  EXPECT_NE(errors.find("<hidden>"), std::string::npos);
}

TEST(Reader, AMissingFileIsNamed) {
  EXPECT_EQ(load_configuration("/nowhere/postern.conf", {}).errors,
            Texts{"/nowhere/postern.conf: cannot be read: No such file or directory"});
}

// Files on disk: includes keep their own places.
class Folder : public Test {
 protected:
  Folder() {
    char name[] = "/tmp/conf_test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() override {
    for (const std::string& file : files_) remove(file.c_str());
    rmdir(path_.c_str());
  }
  std::string write(const std::string& name, const std::string& text) {
    const std::string file = path_ + "/" + name;
    std::ofstream(file) << text;
    files_.push_back(file);
    return file;
  }
  std::string path_;
  Texts files_;
};

TEST_F(Folder, IncludesAreFoundBesideTheMainFile) {
  write("more.conf", "# first\nlogin_proxy_ttl = 0;\n");
  const std::string main = write("main.conf", "@include \"more.conf\"\nauth_debug = 7;\n");
  const Texts errors = load_configuration(main, {}).errors;
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_TRUE(errors[0].starts_with(path_ + "/more.conf:2: login_proxy_ttl = 0: ")) << errors[0];
  EXPECT_TRUE(errors[1].starts_with(main + ":2: auth_debug = 7: ")) << errors[1];
}

TEST_F(Folder, SyntaxErrorsOfIncludedFilesShowTheirLine) {
  write("more.conf", "# first\nauth_debug == true;\n");
  const std::string main = write("main.conf", "@include \"more.conf\"\n");
  const Texts errors = load_configuration(main, {}).errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_TRUE(errors[0].starts_with(path_ + "/more.conf:2: syntax error in or before: auth_debug == true;"))
      << errors[0];
}

TEST_F(Folder, AFileThatIncludesItself) {
  const std::string main = write("main.conf", "@include \"main.conf\"\n");
  EXPECT_EQ(load_configuration(main, {}).errors, Texts{main + ":1: @include \"main.conf\": is nested too deeply"});
}

TEST_F(Folder, SecretsThatEverybodyCanReadAreWarnedOf) {
  const std::string main = write("main.conf", "passdb = ( { driver = \"sql\"; sql_connect = \"x\"; } );\n");
  chmod(main.c_str(), 0644);
  EXPECT_EQ(load_configuration(main, {}).warnings.size(), 1u);
  chmod(main.c_str(), 0640);
  EXPECT_EQ(load_configuration(main, {}).warnings, Texts{});
}

// --- warnings ----------------------------------------------------------------------------

TEST(Reader, Warnings) {
  EXPECT_EQ(warnings_of(""), "x.conf:0: passdb: there is none: nobody can log in");
  EXPECT_EQ(warnings_of(kPassdb + "auth_cache_size = 1024;"),
            "x.conf:2: auth_cache_size = 1024: 1024 bytes is very small; did you mean \"1024 K\"?");
  EXPECT_EQ(warnings_of(kPassdb + "auth_cache_size = \"64 M\"; service: { auth: { vsz_limit = \"100 M\"; }; };"),
            "x.conf:2: service.auth.vsz_limit = \"100 M\": 104857600 bytes leave no room for auth_cache_size");
  EXPECT_EQ(warnings_of(kPassdb + "service: { auth: { client_limit = 150; }; };"),
            "x.conf:2: service.auth.client_limit = 150: 150 is less than the 200 login processes that there may be");
  EXPECT_EQ(warnings_of(kPassdb + "service: { imap-login: { inet_listener: { imap: { haproxy = true; }; }; }; };"),
            "x.conf:2: service.imap-login.inet_listener.imap: takes nobody's PROXY header: haproxy_trusted_networks is "
            "empty");
}

// --- values --------------------------------------------------------------------------------

TEST(Reader, FormsOfValues) {
  const Settings s = settings_of(
      "auth_debug = \"yes\"; ssl = false; login_max_line = \"2 K\"; mail_uid = 500; reload_drain_timeout = "
      "\"infinite\";"
      "auth_mechanisms = \"PLAIN, Login\"; ssl_min_protocol = \"tlsv1.3\"; login_proxy_max_reconnects = \"0\";"
      "auth_verbose_passwords = \"sha1:6\"; auth_realms = ( \"a\", \"b\" ); login_greeting = \"a\" \"b\";");
  EXPECT_TRUE(s.flag(Key::auth_debug));
  EXPECT_EQ(s.text(Key::ssl), "no");
  EXPECT_EQ(s.number(Key::login_max_line), 2048);
  EXPECT_EQ(s.text(Key::mail_uid), "500");
  EXPECT_EQ(s.number(Key::reload_drain_timeout), 0);
  EXPECT_EQ(s.list(Key::auth_mechanisms), (Texts{"plain", "login"}));
  EXPECT_EQ(s.text(Key::ssl_min_protocol), "TLSv1.3");
  EXPECT_EQ(s.number(Key::login_proxy_max_reconnects), 0);
  EXPECT_EQ(s.text(Key::auth_verbose_passwords), "sha1:6");
  EXPECT_EQ(s.list(Key::auth_realms), (Texts{"a", "b"}));
  EXPECT_EQ(s.text(Key::login_greeting), "ab");
}

TEST(Reader, PemMayStandInTheFile) {
  const std::string pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(settings_of("ssl_ca = \"" + pem + "\";").text(Key::ssl_ca), pem);
}

// --- -o --------------------------------------------------------------------------------------

TEST(Assignments, TakeDotsOrSlashes) {
  const Texts o{"service.imap-login.service_count=0",
                "service/imap-login/client_limit=77",
                "hostname=mx.example",
                "login_timeout=1 min",
                "auth_realms=[\"a\"]",
                "login_greeting="};
  const LoadedConfiguration loaded = load(kPassdb + "hostname = \"other\";", o);
  EXPECT_EQ(loaded.errors, Texts{});
  EXPECT_EQ(loaded.configuration.service("imap-login")->client_limit, 77);
  EXPECT_EQ(loaded.configuration.settings.text(Key::hostname), "mx.example");
  EXPECT_EQ(loaded.configuration.settings.time(Key::login_timeout), Milliseconds(60000));
  EXPECT_EQ(loaded.configuration.settings.list(Key::auth_realms), Texts{"a"});
  EXPECT_EQ(loaded.configuration.settings.text(Key::login_greeting), "");
}

TEST(Assignments, ReachElementsOfListsByNumber) {
  const auto loaded = load(kPassdb, {"passdb.1.args=nopassword=y proxy=y"});
  EXPECT_EQ(loaded.errors, Texts{});
  EXPECT_EQ(loaded.configuration.passdbs[0].args, "nopassword=y proxy=y");
}

TEST(Assignments, Errors) {
  EXPECT_EQ(errors_of(kPassdb, {"nothing"}), "-o: nothing: is not an assignment; accepted: NAME=VALUE");
  EXPECT_EQ(errors_of(kPassdb, {"passdb.2.args=x"}), "-o: passdb.2.args=x: there is no place of that name");
  EXPECT_EQ(errors_of(kPassdb, {"login_timeout=5"}),
            "-o: login_timeout = 5: is missing units; accepted: a time from 1 sec to 1 day such as \"30 secs\"");
  EXPECT_EQ(errors_of(kPassdb, {"auth_cache_size=5000000000"}),
            "-o: auth_cache_size = 5000000000: is too large for an integer without L");
  EXPECT_EQ(errors_of(kPassdb, {"hostname.x=1"}), "-o: hostname: is a group; accepted: a string of at most 255 bytes");
}

TEST(Assignments, AValueCannotBringMoreSettings) {
  const auto loaded = load(kPassdb, {"hostname=\"a\"; auth_debug = true"});
  EXPECT_FALSE(loaded.configuration.settings.flag(Key::auth_debug));
  EXPECT_EQ(loaded.configuration.settings.text(Key::hostname), "\"a\"; auth_debug = true");
}

// --- slices -----------------------------------------------------------------------------------

TEST(Slices, ShowARoleItsOwn) {
  const Configuration c = load(sample_text()).configuration;
  const Configuration login = slice_for(c, 'L', "imap");
  EXPECT_TRUE(login.passdbs.empty());
  EXPECT_TRUE(login.userdbs.empty());
  EXPECT_EQ(login.settings.text(Key::hostname), "mx.example.org");
  EXPECT_EQ(login.settings.list(Key::auth_realms), Texts{});
  EXPECT_EQ(login.settings.text(Key::mail_uid), "");
  for (const SettingsOverride& o : login.overrides) EXPECT_NE(o.protocol, "pop3");
  ASSERT_EQ(login.services.size(), 2u);  // imap-login and imap
  const Configuration auth = slice_for(c, 'A', "");
  EXPECT_EQ(auth.passdbs.size(), 5u);
  EXPECT_TRUE(auth.overrides.empty());
  EXPECT_EQ(auth.settings.text(Key::ssl_key), "");
  EXPECT_EQ(slice_for(c, 'G', "").settings.text(Key::log_path), "syslog");
  EXPECT_EQ(bytes_of(slice_for(c, 'M', "")), bytes_of(c));
}

}  // namespace
}  // namespace postern
