#include "auth/db_sql_plan.h"

#include <algorithm>

#include "crypt/schemes.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr SqlDialect kDialects[] = {{"sqlite", false}};

// Words before a name that cannot be bound.
constexpr std::string_view kNameComesNext[] = {"from", "join", "into", "update", "table", "as"};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Binder {
 public:
  Binder(std::string_view query, const SqlDialect& dialect) : query_(query), dialect_(dialect) {}

  Result<SqlStatement> run() {
    while (at_ < query_.size() && status_) step();
    if (!status_) return Error(status_.error());
    return std::move(out_);
  }

 private:
  void step() {
    const char c = query_[at_];
    if (c == '\'') return take_literal();
    if (c == '"' || c == '`') return take_verbatim(std::string_view(&query_[at_], 1), "a quoted identifier");
    if (query_.substr(at_, 2) == "--") return take_verbatim("\n", "a comment");
    if (query_.substr(at_, 2) == "/*") return take_verbatim("*/", "a comment");
    if (c == '%') return take_bare();
    out_.text += c;
    ++at_;
  }

  void fail(size_t where, std::string_view why) {
    const std::string_view before = query_.substr(0, where);
    const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const size_t newline = before.rfind('\n');
    const size_t column = where - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    status_ = Error("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + std::string(why));
  }

  // Up to and with `end`: copied, must be without variables.
  void take_verbatim(std::string_view end, std::string_view what) {
    const size_t start = at_;
    const size_t found = query_.find(end, start + (end == "\n" ? 0 : end.size()));
    const size_t stop = found == std::string_view::npos ? query_.size() : found + end.size();
    if (found == std::string_view::npos && end != "\n") return fail(start, std::string(what) + " has no end");
    for (at_ = start; at_ < stop; ++at_) {
      if (query_[at_] == '%' && query_.substr(at_, 2) != "%%")
        return fail(at_, "a variable cannot be bound in " + std::string(what));
      if (query_[at_] == '%') ++at_;
      out_.text += query_[at_];
    }
  }

  // '...': constant ones are copied, others become a parameter.
  void take_literal() {
    const size_t start = at_++;
    std::vector<Template::Part> parts(1);
    while (at_ < query_.size() && status_) {
      const char c = query_[at_];
      if (c == '\'' && query_.substr(at_, 2) != "''") {
        ++at_;
        return finish_literal(std::move(parts));
      }
      if (c == '%')
        take_variable(parts);
      else
        append(parts, take_escaped(c));
    }
    if (status_) fail(start, "a quoted literal has no end");
  }

  char take_escaped(char c) {
    const bool doubled = c == '\'' || (c == '\\' && dialect_.backslash_escapes && at_ + 1 < query_.size());
    at_ += doubled ? 2 : 1;
    return doubled ? query_[at_ - 1] : c;
  }

  static void append(std::vector<Template::Part>& parts, char c) {
    if (parts.back().variable) parts.emplace_back();
    parts.back().literal += c;
  }

  void take_variable(std::vector<Template::Part>& parts) {
    const size_t where = at_;
    const Status status = Template::compile_one(query_, at_, parts);
    if (status) return;
    const std::string& why = status.error();  // "at position N: why"; ours has line and column
    fail(where, std::string_view(why).substr(why.find(": ") + 2));
  }

  void finish_literal(std::vector<Template::Part> parts) {
    if (parts.size() > 1 || parts[0].variable) return add_parameter(std::move(parts));
    out_.text += '\'';
    for (char c : parts[0].literal) {
      out_.text += c;
      if (c == '\'' || (c == '\\' && dialect_.backslash_escapes)) out_.text += c;
    }
    out_.text += '\'';
  }

  // A variable outside quotes.
  void take_bare() {
    const size_t where = at_;
    std::vector<Template::Part> parts(1);
    take_variable(parts);
    if (!status_) return;
    if (!parts[0].variable) {
      out_.text += parts[0].literal;
      return;
    }
    const bool touches = (!out_.text.empty() && is_part_of_name(out_.text.back())) ||
                         (at_ < query_.size() && (is_part_of_name(query_[at_]) || query_[at_] == '('));
    if (touches || name_comes_next()) return fail(where, "a variable cannot be bound here: names of tables, columns and functions are fixed");
    add_parameter(std::move(parts));
  }

  static bool is_part_of_name(char c) { return is_name_char(c) || c == '.' || c == '"' || c == '`' || c == '%'; }

  bool name_comes_next() const {
    const std::string_view text = out_.text;
    const size_t end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) return false;
    size_t begin = end + 1;
    while (begin > 0 && is_name_char(text[begin - 1])) --begin;
    const std::string_view word = text.substr(begin, end + 1 - begin);
    return std::any_of(std::begin(kNameComesNext), std::end(kNameComesNext),
                       [&](std::string_view w) { return iequals(w, word); });
  }

  void add_parameter(std::vector<Template::Part> parts) {
    SqlParameter p{"p" + std::to_string(out_.parameters.size()), {}};
    p.value.parts() = std::move(parts);
    out_.text += ':' + p.name;
    out_.parameters.push_back(std::move(p));
  }

  std::string_view query_;
  const SqlDialect& dialect_;
  size_t at_ = 0;
  SqlStatement out_;
  Status status_;
};

std::string setting(const DatabaseSettings& settings, const std::string& name) {
  const auto found = settings.driver_settings.find("sql_" + name);
  return found == settings.driver_settings.end() ? std::string() : found->second;
}

std::string dialect_names() {
  std::string out;
  for (const SqlDialect& d : kDialects) out += (out.empty() ? "" : ", ") + std::string(d.name);
  return out;
}

}  // namespace

const SqlDialect* find_sql_dialect(std::string_view name) {
  for (const SqlDialect& d : kDialects)
    if (d.name == name) return &d;
  return nullptr;
}

Result<SqlStatement> bind_sql(std::string_view query, const SqlDialect& dialect) { return Binder(query, dialect).run(); }

Result<SqlPlan> SqlPlan::from(const DatabaseSettings& settings, DbKind kind) {
  SqlPlan plan;
  const std::string driver = setting(settings, "driver");
  plan.dialect = find_sql_dialect(driver);
  if (plan.dialect == nullptr) return Error("sql_driver = " + driver + ": accepted: " + dialect_names());
  plan.connect = setting(settings, "connect");
  if (plan.connect.empty()) return Error("sql_connect is missing");
  const std::string scheme = setting(settings, "default_pass_scheme");
  if (!scheme.empty()) plan.default_scheme = scheme;
  if (!is_known_scheme(plan.default_scheme)) return Error("sql_default_pass_scheme = " + scheme + ": unknown scheme");
  const std::string name = kind == DbKind::Passdb ? "password_query" : "user_query";
  const std::string query = setting(settings, name);
  if (query.empty()) return Error("sql_" + name + " is missing");
  auto bound = bind_sql(query, *plan.dialect);
  if (!bound) return Error("sql_" + name + ": " + bound.error());
  plan.query = std::move(*bound);
  return plan;
}

Result<DriverTraits> describe_sql(const DatabaseSettings& settings, DbKind kind) {
  const auto plan = SqlPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = plan->default_scheme;
  traits.cacheable = true;
  for (const SqlParameter& p : plan->query.parameters) add_uses(p.value, traits.uses);
  return traits;
}

}  // namespace postern
