// What filters can do with the arguments they were given is known when a template is compiled.
#include <algorithm>

#include "auth/template_parser.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr int64_t kMaxRounds = 100'000;

// Has no values: constants are expanded with it.
class NoVariables final : public Variables {
 public:
  std::string value(Variable, std::string_view) const override { return {}; }
};

// What is wrong with this argument; empty: nothing.
std::string problem(const FilterParameter& parameter, const Template& argument, const std::string& value) {
  if (parameter.fixed && !argument.is_constant())
    return "'" + std::string(parameter.name) + "' must not have variables";
  if (!argument.is_constant() || !parameter.number) return {};
  const auto number = parse_signed(value);
  if (!number) return "'" + std::string(parameter.name) + "' wants a number";
  const bool good = parameter.name != "rounds" || (*number >= 1 && *number <= kMaxRounds);
  return good ? std::string() : "'rounds' is between 1 and " + std::to_string(kMaxRounds);
}

Status compile_pattern(VariableFilter& filter, size_t i) {
  const auto text = constant_at(filter, i);
  if (!text) return Error("a regular expression must not have variables");
  auto pattern = Pattern::compile(*text);
  if (!pattern) return Error(pattern.error());
  filter.pattern = std::move(*pattern);
  return {};
}

// Checks that only some filters need.
Status check_if(VariableFilter& filter) {
  const auto name = constant_at(filter, 1);
  if (!name || !is_comparison(*name)) return Error("unknown comparison '" + printable(name.value_or("")) + "'");
  return *name == "~" || *name == "!~" ? compile_pattern(filter, 2) : Status();
}

Status check_method(VariableFilter& filter) {
  return find_digest(constant_at(filter, 0).value_or("")) ? Status() : Error("unknown method");
}

Status check_sign(VariableFilter& filter) {
  const std::string sign = constant_at(filter, 0).value_or("");
  return sign.size() == 1 && kArithmeticSigns.find(sign) != std::string_view::npos
             ? Status()
             : Error("the operator is one of + - * / %");
}

struct CheckRow {
  ApplyFilter filter;
  Status (*check)(VariableFilter& filter);
};
constexpr CheckRow kChecks[] = {{filter_if, check_if},
                                {filter_hash, check_method},
                                {filter_hash_23, check_method},
                                {filter_calculate, check_sign},
                                {filter_regexp, [](VariableFilter& f) { return compile_pattern(f, 0); }}};

}  // namespace

FilterParameter::FilterParameter(std::string_view text) {
  fixed = text.starts_with('!');
  if (fixed) text.remove_prefix(1);
  number = text.starts_with('#');
  if (number) text.remove_prefix(1);
  repeats = text.ends_with("...");
  if (repeats) text.remove_suffix(3);
  name = text;
}

std::vector<FilterParameter> parameters_of(const FilterRow& row) {
  std::vector<FilterParameter> out;
  for (std::string_view word : split_words(row.parameters)) out.emplace_back(word);
  return out;
}

std::string in_filter(const FilterRow& row, std::string_view what) {
  return "filter '" + std::string(row.name) + "': " + std::string(what);
}

std::optional<std::string> constant_at(const VariableFilter& filter, size_t i) {
  if (i >= filter.arguments.size() || filter.arguments[i] == nullptr || !filter.arguments[i]->is_constant())
    return std::nullopt;
  return filter.arguments[i]->expand(NoVariables());
}

Status add_filter(size_t at, VariableFilter filter, Template::Part& part) {
  const std::vector<FilterParameter> parameters = parameters_of(*filter.row);
  size_t given = 0;
  for (size_t i = 0; i < filter.arguments.size(); ++i) {
    if (filter.arguments[i] == nullptr) continue;
    ++given;
    const std::string why = problem(parameters[std::min(i, parameters.size() - 1)], *filter.arguments[i],
                                    constant_at(filter, i).value_or(""));
    if (!why.empty()) return template_error(at, in_filter(*filter.row, why));
  }
  if (given < filter.row->needed) return template_error(at, in_filter(*filter.row, "arguments are missing"));
  for (const CheckRow& row : kChecks) {
    if (row.filter != filter.row->apply) continue;
    const Status status = row.check(filter);
    if (!status) return template_error(at, in_filter(*filter.row, status.error()));
  }
  part.filters.push_back(std::move(filter));
  return {};
}

}  // namespace postern
