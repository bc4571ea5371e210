#include "auth/db_sql_text.h"

#include <algorithm>
#include <span>

#include "base/text.h"

namespace postern {

namespace {

constexpr SqlDialect kDialects[] = {
    {"sqlite", SqlGrammar::Standard}, {"mysql", SqlGrammar::MySql}, {"pgsql", SqlGrammar::PgSql}};

// Words before a name that cannot be bound.
constexpr std::string_view kNameComesNext[] = {"from", "join", "into", "update", "table", "as"};
// Words and signs before the start of an expression.
constexpr std::string_view kExpressionComesNext[] = {"select", "distinct", "all", ",", "("};
// Words that are part of the literal behind them; so are MySQL's _utf8mb4 and the like.
constexpr std::string_view kLiteralPrefixes[] = {"e", "b", "x", "n"};

// What a backslash and this character stand for in MySQL's '...'.
constexpr std::string_view kEscaped = "0bnrtZ", kMeant("\0\b\n\r\t\x1a", 6);

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) { return iequals(w, word); });
}

// The word, or the sign, that `text` ends with.
std::string_view last_token(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  size_t begin = end + 1;
  while (begin > 0 && is_name_char(text[begin - 1])) --begin;
  return begin > end ? text.substr(end, 1) : text.substr(begin, end + 1 - begin);
}

// A literal while it is read: as it may stay in the query, and what it means.
struct Literal {
  char quote;
  bool escapes;  // by backslash
  bool prefixed;
  std::string text;
  std::vector<Template::Part> parts = std::vector<Template::Part>(1);

  void add(std::string_view as_text, char meaning) {
    text += as_text;
    if (parts.back().variable) parts.emplace_back();
    parts.back().literal += meaning;
  }
};

class Binder {
 public:
  Binder(std::string_view query, const SqlDialect& dialect, SqlParameters as)
      : query_(query), grammar_(dialect.grammar), as_(as) {}

  Result<SqlStatement> run() {
    while (at_ < query_.size() && status_) step();
    if (!status_) return Error(status_.error());
    return std::move(out_);
  }

 private:
  bool mysql() const { return grammar_ == SqlGrammar::MySql; }
  bool pgsql() const { return grammar_ == SqlGrammar::PgSql; }

  void step() {
    const char c = query_[at_];
    if (c == '\'' || (c == '"' && mysql())) return take_literal({c, mysql(), false, {}});
    if (c == '"' || c == '`') return take_verbatim(std::string_view(&query_[at_], 1), "a quoted identifier");
    if (at_line_comment()) return take_verbatim("\n", "a comment");
    if (query_.substr(at_, 2) == "/*") return take_verbatim("*/", "a comment");
    if (const std::string_view tag = dollar_tag(); !tag.empty()) return take_verbatim(tag, "a dollar-quoted text");
    if (c == '%') return take_bare();
    if (is_name_char(c)) return take_word();
    out_.text += c;
    ++at_;
  }

  // MySQL takes 5--3 for a subtraction.
  bool at_line_comment() const {
    const std::string_view rest = query_.substr(at_);
    if (mysql() && rest[0] == '#') return true;
    return rest.starts_with("--") && (!mysql() || rest.size() == 2 || static_cast<unsigned char>(rest[2]) <= ' ');
  }

  std::string_view dollar_tag() const {
    if (!pgsql() || query_[at_] != '$') return {};
    size_t end = at_ + 1;
    while (end < query_.size() && query_[end] != '$' && is_name_char(query_[end])) ++end;
    return end < query_.size() && query_[end] == '$' ? query_.substr(at_, end + 1 - at_) : std::string_view();
  }

  std::string place(size_t where) const {
    const std::string_view before = query_.substr(0, where);
    const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const size_t newline = before.rfind('\n');
    const size_t column = where - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
  }

  void fail(size_t where, std::string_view why) { status_ = Error(place(where) + std::string(why)); }

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
  void take_literal(Literal literal) {
    const size_t start = at_++;
    while (at_ < query_.size() && status_) {
      if (query_[at_] == literal.quote && query_.substr(at_ + 1, 1) != query_.substr(at_, 1)) {
        ++at_;
        return finish_literal(start, std::move(literal));
      }
      take_character(literal);
    }
    if (status_) fail(start, "a quoted literal has no end");
  }

  void take_character(Literal& literal) {
    const std::string_view pair = query_.substr(at_, 2);
    const bool two = pair.size() == 2, doubled(literal.quote == pair[0]);
    const std::string quotes(2, literal.quote);
    if (pair[0] == '%') return take_variable(literal);
    if (!doubled && (!two || pair[0] != '\\' || !literal.escapes || pair[1] == '%')) {
      literal.add(pair.substr(0, 1), pair[0]);
      ++at_;
      return;
    }
    at_ += 2;
    if (pair[1] == '_') literal.add("\\", '\\');  // LIKE's own
    if (pair[1] == '_') return literal.add("_", '_');
    const size_t known = doubled ? std::string_view::npos : kEscaped.find(pair[1]);
    // SOCI, which looks for the parameters, knows no backslashes.
    literal.add(pair[1] == literal.quote ? std::string_view(quotes) : pair,
                known == std::string_view::npos ? pair[1] : kMeant[known]);
  }

  void take_variable(Literal& literal) {
    const bool percent = query_.substr(at_, 2) == "%%";
    compile_variable(literal.parts);
    if (percent) literal.text += '%';
  }

  void compile_variable(std::vector<Template::Part>& parts) {
    const size_t where = at_;
    const Status status = Template::compile_one(query_, at_, parts);
    if (status) return;
    const std::string& why = status.error();  // "at position N: why"; ours has line and column
    fail(where, std::string_view(why).substr(why.find(": ") + 2));
  }

  void finish_literal(size_t start, Literal literal) {
    const bool constant = literal.parts.size() == 1 && !literal.parts[0].variable;
    if (!constant && literal.prefixed) return fail(start, "a variable cannot be bound in a literal with a prefix");
    if (!constant) return add_parameter(std::move(literal.parts));
    out_.text.append(1, literal.quote).append(literal.text).append(1, literal.quote);
  }

  // A variable outside quotes.
  void take_bare() {
    const size_t where = at_;
    std::vector<Template::Part> parts(1);
    compile_variable(parts);
    if (!status_) return;
    if (!parts[0].variable) {
      out_.text += parts[0].literal;
      return;
    }
    const bool touches = (!out_.text.empty() && is_part_of_name(out_.text.back())) ||
                         (at_ < query_.size() && (is_part_of_name(query_[at_]) || query_[at_] == '('));
    if (touches || contains(kNameComesNext, last_token(out_.text)))
      return fail(where, "a variable cannot be bound here: names of tables, columns and functions are fixed");
    add_parameter(std::move(parts));
  }

  static bool is_part_of_name(char c) { return is_name_char(c) || c == '.' || c == '"' || c == '`' || c == '%'; }

  void take_word() {
    const size_t start = at_;
    while (at_ < query_.size() && is_name_char(query_[at_])) ++at_;
    const std::string_view word = query_.substr(start, at_ - start), before = last_token(out_.text);
    if (pgsql() && iequals(word, "user") && before != "." && !iequals(before, "as"))
      out_.warnings.push_back(
          place(start) + "user is the database's own user to PostgreSQL: write \"user\" for a column of that name");
    const bool null = mysql() && iequals(word, "null") && contains(kExpressionComesNext, before);
    out_.text += null ? std::string_view("CAST(NULL AS CHAR)") : word;
    const bool prefix = contains(kLiteralPrefixes, word) || (mysql() && word[0] == '_');
    if (prefix && query_.substr(at_, 1) == "'")
      take_literal({'\'', mysql() || (pgsql() && iequals(word, "e")), true, {}});
  }

  void add_parameter(std::vector<Template::Part> parts) {
    SqlParameter p{"p" + std::to_string(out_.parameters.size()), {}};
    p.value.parts() = std::move(parts);
    out_.text += as_ == SqlParameters::AsText ? "CAST(:" + p.name + " AS text)" : ':' + p.name;
    out_.parameters.push_back(std::move(p));
  }

  std::string_view query_;
  SqlGrammar grammar_;
  SqlParameters as_;
  size_t at_ = 0;
  SqlStatement out_;
  Status status_;
};

}  // namespace

const SqlDialect* find_sql_dialect(std::string_view name) {
  for (const SqlDialect& d : kDialects)
    if (d.name == name) return &d;
  return nullptr;
}

std::string sql_dialect_names() {
  std::string out;
  for (const SqlDialect& d : kDialects) out += (out.empty() ? "" : ", ") + std::string(d.name);
  return out;
}

Result<SqlStatement> bind_sql(std::string_view query, const SqlDialect& dialect, SqlParameters as) {
  return Binder(query, dialect, as).run();
}

}  // namespace postern
