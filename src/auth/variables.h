// %-templates: Dovecot 2.3's short and long forms with modifiers and functions, and 2.4's pipes (AUTH-32, AUTH-33).
// Compiled once at load; an unknown variable or filter is an error there, never an empty string later.
#ifndef POSTERN_AUTH_VARIABLES_H
#define POSTERN_AUTH_VARIABLES_H

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/variable_names.h"
#include "base/result.h"

namespace postern {

class Pattern;
class Template;
struct FilterRow;

// What happens to a variable's value, in order: a row of the table in variable_filters.cc, and what stands behind its
// name in parentheses, in the order of the row's parameters; absent ones are null.
struct VariableFilter {
  const FilterRow* row = nullptr;
  std::vector<std::shared_ptr<const Template>> arguments{};
  std::shared_ptr<const Pattern> pattern{};  // a regular expression among them, compiled
};

class Template {
 public:
  struct Part {
    std::string literal;  // goes before the variable
    std::optional<Variable> variable;
    std::string argument;
    std::vector<VariableFilter> filters;
  };

  // Texts longer than that are refused, as are functions within functions beyond that depth.
  static constexpr size_t kMaxText = 16384, kMaxDepth = 8;
  // A value or an expansion that would be longer is empty instead.
  static constexpr size_t kMaxValue = 1 << 18, kMaxExpansion = 1 << 20;

  Template() = default;
  static Template constant(std::string text);
  // The Error names the position in `text`.
  static Result<Template> compile(std::string_view text) { return compile_within(text, 0); }
  // The same for a text inside `depth` functions.
  static Result<Template> compile_within(std::string_view text, size_t depth);
  // One variable at text[at] == '%', or an escaped percent sign; moves `at` behind it and appends to `parts`. For
  // parsers with a syntax of their own around variables.
  static Status compile_one(std::string_view text, size_t& at, std::vector<Part>& parts, size_t depth = 0);

  bool is_constant() const;
  bool uses(Variable variable) const;
  // Each variable that an expansion can ask for, within functions too; some more than once.
  void for_each_use(const std::function<void(Variable variable, const std::string& argument)>& visit) const;
  const std::vector<Part>& parts() const { return parts_; }
  std::vector<Part>& parts() { return parts_; }

  // A value that a filter cannot work on, such as a text for arithmetic, gives an empty one.
  void expand_to(const Variables& variables, std::string& out) const;
  std::string expand(const Variables& variables) const;
  // The value of one part, filtered, without its literal: for sinks that escape values, and those alone (AUTH-19).
  // Empty for a part without a variable.
  static std::string expand_part(const Part& part, const Variables& variables);

 private:
  std::vector<Part> parts_;
};

}  // namespace postern

#endif
