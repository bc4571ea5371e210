// Templates as a whole, and what stands between a '%' and its variable: 2.3's numbers and modifiers.
#include <algorithm>
#include <iterator>
#include <utility>

#include "auth/template_parser.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kMaxModifiers = 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [OFFSET.]WIDTH as 2.3 reads them: a width that begins with 0 pads and does not cut, one of 0 is none.
struct Numbers {
  bool given = false, pads = false;
  int offset = 0, width = 0;
};

// [-]DIGITS, at most four of them; 0 for none.
int take_number(std::string_view text, size_t& at, bool& pads) {
  const bool negative = at < text.size() && text[at] == '-';
  if (negative) ++at;
  pads = at < text.size() && text[at] == '0' && !negative;
  int value = 0;
  for (size_t digits = 0; at < text.size() && is_digit(text[at]) && digits < 4; ++at, ++digits)
    value = value * 10 + (text[at] - '0');
  return negative ? -value : value;
}

Numbers take_numbers(std::string_view text, size_t& at) {
  Numbers out;
  if (at == text.size() || !(is_digit(text[at]) || text[at] == '-' || text[at] == '.')) return out;
  out.given = true;
  out.width = take_number(text, at, out.pads);
  if (at < text.size() && text[at] == '.') {
    out.offset = out.width;
    out.width = take_number(text, ++at, out.pads);
  } else {
    out.width = std::abs(out.width);
  }
  return out;
}

VariableFilter numeric_filter(std::string_view name, int first, int second) {
  return {find_filter(name), {constant_argument(std::to_string(first)), constant_argument(std::to_string(second))}};
}

// The substring is taken of what the modifiers made, but for H and N, which use the numbers in their own way.
Status take_modifiers(std::string_view text, size_t& at, std::vector<VariableFilter>& filters) {
  Numbers numbers = take_numbers(text, at);
  for (; at < text.size() && find_modifier(text[at]) != nullptr; ++at) {
    if (filters.size() == kMaxModifiers) return template_error(at, "too many modifiers");
    const FilterRow* row = find_modifier(text[at]);
    const bool takes_numbers = !row->parameters.empty() && std::exchange(numbers.given, false);
    filters.push_back(takes_numbers ? numeric_filter(row->name, numbers.width, numbers.offset) : VariableFilter{row});
  }
  if (!numbers.given) return {};
  if (numbers.pads) filters.push_back(numeric_filter("%pad", numbers.offset, numbers.width));
  else if (numbers.width != 0) filters.push_back(numeric_filter("%cut", numbers.offset, numbers.width));
  else filters.push_back({find_filter("substr"), {constant_argument(std::to_string(numbers.offset))}});
  return {};
}

// A letter, or {...}.
Status take_variable(std::string_view text, size_t start, size_t& at, Template::Part& part, size_t depth) {
  if (text[at] != '{') {
    part.variable = find_variable(text[at]);
    if (!part.variable) return template_error(start, "unknown variable '%" + printable(text.substr(at, 1)) + "'");
    ++at;
    return {};
  }
  const size_t end = find_closing_brace(text, at + 1);
  if (end == std::string_view::npos) return template_error(start, "'}' is missing");
  const Status status = parse_body({text, at + 1, end, start, depth}, part);
  at = end + 1;
  return status;
}

}  // namespace

Error template_error(size_t at, std::string_view what) {
  return Error("at position " + std::to_string(at + 1) + ": " + std::string(what));
}

std::shared_ptr<const Template> constant_argument(std::string text) {
  return std::make_shared<const Template>(Template::constant(std::move(text)));
}

Template Template::constant(std::string text) {
  Template out;
  if (!text.empty()) out.parts_.push_back({std::move(text), std::nullopt, {}, {}});
  return out;
}

Status Template::compile_one(std::string_view text, size_t& at, std::vector<Part>& parts, size_t depth) {
  if (parts.empty() || parts.back().variable) parts.emplace_back();
  Part& part = parts.back();
  const size_t start = at++;
  if (at < text.size() && text[at] == '%') {
    part.literal += '%';
    ++at;
    return {};
  }
  std::vector<VariableFilter> modifiers;
  Status status = take_modifiers(text, at, modifiers);
  if (!status) return status;
  if (at == text.size()) return template_error(start, "'%' without a variable; write '%%' for a percent sign");
  status = take_variable(text, start, at, part, depth);
  if (!status) return status;
  part.filters.insert(part.filters.end(), std::make_move_iterator(modifiers.begin()),
                      std::make_move_iterator(modifiers.end()));
  return {};
}

Result<Template> Template::compile_within(std::string_view text, size_t depth) {
  if (text.size() > kMaxText) return template_error(kMaxText, "the text is too long");
  if (depth > kMaxDepth) return template_error(0, "too many functions within functions");
  Template out;
  for (size_t at = 0; at < text.size();) {
    const size_t percent = std::min(text.find('%', at), text.size());
    if (percent > at) {
      if (out.parts_.empty() || out.parts_.back().variable) out.parts_.emplace_back();
      out.parts_.back().literal += text.substr(at, percent - at);
    }
    at = percent;
    if (at == text.size()) break;
    const Status status = compile_one(text, at, out.parts_, depth);
    if (!status) return Error(status.error());
  }
  return out;
}

bool Template::is_constant() const {
  return std::none_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.variable.has_value(); });
}

void Template::for_each_use(const std::function<void(Variable variable, const std::string& argument)>& visit) const {
  for (const Part& part : parts_) {
    if (part.variable && *part.variable != Variable::Nothing) visit(*part.variable, part.argument);
    for (const VariableFilter& filter : part.filters)
      for (const auto& argument : filter.arguments)
        if (argument != nullptr) argument->for_each_use(visit);
  }
}

bool Template::uses(Variable variable) const {
  bool found = false;
  for_each_use([&](Variable v, const std::string&) { found |= v == variable; });
  return found;
}

std::string Template::expand_part(const Part& part, const Variables& variables) {
  if (!part.variable) return {};
  VariableValue value;
  value.missing = *part.variable == Variable::Nothing;
  if (!value.missing) value.text = variables.value(*part.variable, part.argument);
  for (const VariableFilter& filter : part.filters) {
    if (value.missing && !filter.row->without_input) continue;
    filter.row->apply(value, FilterCall(filter, variables));
    if (value.text.size() > kMaxValue || value.missing) value = {{}, true};
  }
  return value.binary ? hex_encode(value.text) : std::move(value.text);
}

void Template::expand_to(const Variables& variables, std::string& out) const {
  const size_t before = out.size();
  for (const Part& part : parts_) {
    out += part.literal;
    out += expand_part(part, variables);
    if (out.size() - before > kMaxExpansion) return out.resize(before);
  }
}

std::string Template::expand(const Variables& variables) const {
  std::string out;
  expand_to(variables, out);
  return out;
}

}  // namespace postern
