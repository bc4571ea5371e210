#include "conf/values.h"

#include <gtest/gtest.h>

#include "conf/fields.h"
#include "conf/row.h"

namespace postern {
namespace {

int64_t time_of(std::string_view text) {
  const auto time = parse_time(text);
  return time ? *time : -1;
}

int64_t size_of(std::string_view text) {
  const auto size = parse_size(text);
  return size ? *size : -1;
}

TEST(Values, TimesHaveUnits) {
  EXPECT_EQ(time_of("30 secs"), 30000);
  EXPECT_EQ(time_of("30s"), 30000);
  EXPECT_EQ(time_of("500 ms"), 500);
  EXPECT_EQ(time_of("1500msecs"), 1500);
  EXPECT_EQ(time_of("2 m"), 120000);
  EXPECT_EQ(time_of("2 MINS"), 120000);
  EXPECT_EQ(time_of("7 mil"), 7);
  EXPECT_EQ(time_of("1 hour"), 3600000);
  EXPECT_EQ(time_of("1 week"), 7 * 86400000LL);
  EXPECT_EQ(time_of("0"), 0);
}

TEST(Values, TimesThatAreNone) {
  EXPECT_EQ(parse_time("30").error(), "is missing units");
  EXPECT_EQ(parse_time("30 fortnights").error(), "has an unknown unit");
  EXPECT_EQ(parse_time("").error(), "is not a time");
  EXPECT_EQ(parse_time("-1 secs").error(), "is not a time");
  EXPECT_EQ(parse_time("9223372036854775807 weeks").error(), "is too large a time");
}

TEST(Values, Sizes) {
  EXPECT_EQ(size_of("64 M"), 64 * kMiB);
  EXPECT_EQ(size_of("64MB"), 64 * kMiB);
  EXPECT_EQ(size_of("1k"), 1024);
  EXPECT_EQ(size_of("17"), 17);
  EXPECT_EQ(size_of("2 T"), 2048 * kGiB);
  EXPECT_EQ(size_of("1 Q"), -1);
  EXPECT_EQ(size_of("99999999999 T"), -1);
}

TEST(Values, TextReadsBack) {
  for (int64_t ms : {0LL, 1LL, 999LL, 1000LL, 150000LL, 3600000LL, 86400000LL}) EXPECT_EQ(time_of(time_text(ms)), ms);
  for (int64_t size : {0LL, 1LL, 1026LL, 8192LL, 256LL * 1048576}) EXPECT_EQ(size_of(size_text(size)), size);
}

TEST(Values, EveryRowHasADefaultWithinItsLimitsAndASentence) {
  for (const Row& row : setting_rows()) {
    const auto value = parse_value_text(row, row.def);
    ASSERT_TRUE(value) << row.name << ": " << value.error();
    EXPECT_TRUE(row.doc.ends_with('.')) << row.name;
    EXPECT_NE(row.roles, 0u) << row.name;
    EXPECT_EQ(find_setting(row.name), static_cast<Key>(&row - setting_rows().data()));
  }
  EXPECT_EQ(find_setting("no_such_setting"), Key::kCount);
}

TEST(Values, DefaultsThatRulesGive) {
  const Settings s;
  EXPECT_EQ(s.time(Key::login_timeout), Milliseconds(180000));                      // CONST-1
  EXPECT_EQ(s.time(Key::auth_request_timeout), Milliseconds(150000));               // CONST-2
  EXPECT_EQ(s.number(Key::login_max_line), 1026);                                   // CONST-3
  EXPECT_EQ(s.number(Key::login_max_output), 4096);                                 // CONST-4
  EXPECT_EQ(s.number(Key::login_max_sasl), 8192);                                   // CONST-5
  EXPECT_EQ(s.number(Key::login_max_literal), 8192);                                // CONST-6
  EXPECT_EQ(s.number(Key::imap_max_tag), 126);                                      // CONST-7
  EXPECT_EQ(s.number(Key::login_max_bad_commands), 3);                              // CONST-8
  EXPECT_EQ(s.number(Key::login_proxy_ttl), 5);                                     // CONST-9
  EXPECT_EQ(s.number(Key::imap_id_retain_size), 256);                               // CONST-11
  EXPECT_EQ(s.number(Key::login_proxy_max_line), 4096);                             // CONST-12
  EXPECT_EQ(s.time(Key::proxy_host_immediate_failure_after), Milliseconds(30000));  // CONST-16
  EXPECT_EQ(s.time(Key::auth_max_delay_until), Milliseconds(300000));               // CONST-21
  EXPECT_EQ(s.text(Key::auth_username_format), "%Lu");
  EXPECT_EQ(s.list(Key::listen), (std::vector<std::string>{"*", "::"}));
}

TEST(Values, QuotedTextKeepsQuotesAndBackslashes) { EXPECT_EQ(quoted("a\"b\\c\n"), R"("a\"b\\c\n")"); }

TEST(Fields, NamesWithAndWithoutValues) {
  const FieldList expected{{"proxy", "y"}, {"host", "a=b"}, {"nologin", ""}, {"pass", ""}};
  EXPECT_EQ(parse_fields(" proxy=y  host=a=b\tnologin pass= =x "), expected);
  EXPECT_EQ(parse_fields(fields_text(expected)), expected);
  EXPECT_TRUE(parse_fields("").empty());
}

}  // namespace
}  // namespace postern
