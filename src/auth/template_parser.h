// Inside %{...}: 2.3's functions and names, 2.4's names, functions and pipes (AUTH-33).
#ifndef POSTERN_AUTH_TEMPLATE_PARSER_H
#define POSTERN_AUTH_TEMPLATE_PARSER_H

#include <string>
#include <string_view>
#include <vector>

#include "auth/variable_filters.h"
#include "auth/variables.h"

namespace postern {

// Where something stands: `at` is counted from 0 here, from 1 in the message.
Error template_error(size_t at, std::string_view what);

// What stands between text[begin] and text[end], both in one template, put into `part`; `depth`: within so many
// functions. Errors about the name have the position of the '%', `start`.
struct TemplateBody {
  std::string_view text;
  size_t begin, end, start, depth;
  std::string_view view() const { return text.substr(begin, end - begin); }
};

// Where the '}' of %{...} stands whose inside begins at `at`; npos: nowhere.
size_t find_closing_brace(std::string_view text, size_t at);
Status parse_body(const TemplateBody& body, Template::Part& part);
// Without functions of 2.3's.
Status parse_pipes(const TemplateBody& body, Template::Part& part);

std::shared_ptr<const Template> constant_argument(std::string text);

inline constexpr std::string_view kArithmeticSigns = "+-*/%";

// One of FilterRow::parameters.
struct FilterParameter {
  std::string_view name;
  bool number = false, fixed = false, repeats = false;

  explicit FilterParameter(std::string_view text);
};
std::vector<FilterParameter> parameters_of(const FilterRow& row);
std::string in_filter(const FilterRow& row, std::string_view what);
// The value of an argument that is there and constant.
std::optional<std::string> constant_at(const VariableFilter& filter, size_t i);
// A filter whose arguments are complete: checks them against its row.
Status add_filter(size_t at, VariableFilter filter, Template::Part& part);

}  // namespace postern

#endif
