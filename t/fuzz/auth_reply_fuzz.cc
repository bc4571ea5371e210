// What databases over the network answer about a user: records in Redis, auth_http's headers. First line "json",
// "redis" or "http"; the rest is the answer.
#include <string>

#include "auth/auth_http.h"
#include "auth/db_redis_plan.h"
#include "base/text.h"
#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;

namespace {

void row_holds(const DbRow& row) {
  expect(row.result != LookupResult::Broken || !row.why.empty(), "what is broken says why");
  expect(!has_control(row.why), "a line for the log");
  expect(row.result != LookupResult::Found || row.fields.size() <= 256, "not too many fields");
  for (const auto& [name, value] : row.fields) expect(!name.empty() && !has_control(name), "a field has a name");
}

void json(std::string_view text) {
  row_holds(json_row(text, DbKind::Passdb));
  const DbRow user = json_row(text, DbKind::Userdb);
  row_holds(user);
  expect(!user.password, "a userdb has no passwords");
}

// Lines are fields and values in turn.
void hash(std::string_view text) {
  RedisReply reply{.kind = RedisReply::Kind::Array};
  for (const std::string_view line : split_fields(text, '\n'))
    reply.items.push_back({.kind = RedisReply::Kind::Text, .text = SecretString(line)});
  row_holds(redis_hash_row(reply, DbKind::Passdb));
  row_holds(redis_hash_row(reply, DbKind::Userdb));
}

void http(std::string_view text) {
  HttpAnswer answer;
  answer.status = 200;
  for (const std::string_view line : split_fields(text, '\n')) {
    const size_t colon = std::min(line.find(':'), line.size());
    answer.headers.emplace_back(to_lower(trim(line.substr(0, colon))),
                                trim(line.substr(std::min(colon + 1, line.size()))));
  }
  for (const bool asked : {false, true}) {
    const AuthHttpVerdict verdict = auth_http_verdict(answer, asked);
    row_holds(verdict.row);
    expect(asked || verdict.row.check == PasswordCheck::None, "no verdict about a password that nobody gave");
    for (const auto& [name, value] : verdict.row.fields)
      expect(!value.empty() && !has_control(value), "values are clean");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view rest = text.substr(std::min(end + 1, size));
  if (text.substr(0, end) == "json") json(rest);
  if (text.substr(0, end) == "redis") hash(rest);
  if (text.substr(0, end) == "http") http(rest);
  return 0;
}
