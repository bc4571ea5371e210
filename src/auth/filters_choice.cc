// Filters that choose: if, switch, and regular expressions.
#include <regex.h>

#include <algorithm>
#include <functional>

#include "auth/variable_filters.h"

namespace postern {

namespace {

// `*` and `?`, case and all.
bool matches_mask(std::string_view text, std::string_view mask) {
  size_t at = 0, m = 0, star = std::string_view::npos, resume = 0;
  while (at < text.size()) {
    if (m < mask.size() && mask[m] == '*') {
      star = m++;
      resume = at;
    } else if (m < mask.size() && (mask[m] == '?' || mask[m] == text[at])) {
      ++m;
      ++at;
    } else if (star != std::string_view::npos) {
      m = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  return mask.find_first_not_of('*', m) == std::string_view::npos;
}

// {n,m} within {n,m} grows beyond all bounds when it is compiled.
bool repeats_too_often(std::string_view text) {
  uint64_t product = 1;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{' && text[at] != ',') continue;
    uint64_t count = 0;
    while (at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9' && count < 100'000)
      count = count * 10 + static_cast<uint64_t>(text[++at] - '0');
    product *= std::max<uint64_t>(count, 1);
    if (product > 1000) return true;
  }
  return false;
}

// Nothing when the two cannot be compared so.
using Answer = std::optional<bool>;
using Compare = Answer (*)(const std::string& left, const std::string& right, const Pattern* pattern);

template <class Order>
Answer numbers(const std::string& left, const std::string& right, const Pattern*) {
  const auto a = parse_signed(left), b = parse_signed(right);
  return a && b ? Answer(Order()(*a, *b)) : std::nullopt;
}

template <class Order>
Answer texts(const std::string& left, const std::string& right, const Pattern*) {
  return Order()(left, right);
}

struct CompareRow {
  std::string_view name;
  Compare run;
};
constexpr CompareRow kComparisons[] = {
    {"==", numbers<std::equal_to<>>},
    {"!=", numbers<std::not_equal_to<>>},
    {"<", numbers<std::less<>>},
    {"<=", numbers<std::less_equal<>>},
    {">", numbers<std::greater<>>},
    {">=", numbers<std::greater_equal<>>},
    {"eq", texts<std::equal_to<>>},
    {"ne", texts<std::not_equal_to<>>},
    {"lt", texts<std::less<>>},
    {"le", texts<std::less_equal<>>},
    {"gt", texts<std::greater<>>},
    {"ge", texts<std::greater_equal<>>},
    {"*", [](const std::string& l, const std::string& r, const Pattern*) { return Answer(matches_mask(l, r)); }},
    {"!*", [](const std::string& l, const std::string& r, const Pattern*) { return Answer(!matches_mask(l, r)); }},
    {"~",
     [](const std::string& l, const std::string&, const Pattern* p) { return Answer(p != nullptr && p->matches(l)); }},
    {"!~",
     [](const std::string& l, const std::string&, const Pattern* p) { return Answer(p != nullptr && !p->matches(l)); }},
};

const CompareRow* find_comparison(std::string_view name) {
  for (const CompareRow& row : kComparisons)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

struct Pattern::Compiled {
  regex_t regex{};
  bool good = false;
  ~Compiled() {
    if (good) ::regfree(&regex);
  }
};

Result<std::shared_ptr<const Pattern>> Pattern::compile(const std::string& text) {
  if (text.size() > kMaxPattern)
    return Error("a regular expression longer than " + std::to_string(kMaxPattern) + " characters");
  for (size_t at = 0; (at = text.find('\\', at)) != std::string::npos; at += 2)
    if (at + 1 < text.size() && text[at + 1] >= '1' && text[at + 1] <= '9')
      return Error("a regular expression with a back-reference");
  if (repeats_too_often(text)) return Error("a regular expression with too many repetitions");
  auto out = std::make_shared<Pattern>();
  out->compiled_ = std::make_shared<Compiled>();
  const int code = ::regcomp(&out->compiled_->regex, text.c_str(), REG_EXTENDED);
  out->compiled_->good = code == 0;
  if (code == 0) return std::shared_ptr<const Pattern>(std::move(out));
  char why[128];
  ::regerror(code, &out->compiled_->regex, why, sizeof why);
  return Error("regular expression: " + std::string(why));
}

bool Pattern::matches(const std::string& text) const {
  return text.size() <= kMaxSubject && ::regexec(&compiled_->regex, text.c_str(), 0, nullptr, 0) == 0;
}

std::string Pattern::replace(const std::string& text, std::string_view replacement) const {
  regmatch_t groups[kMaxGroups];
  if (text.size() > kMaxSubject || ::regexec(&compiled_->regex, text.c_str(), kMaxGroups, groups, 0) != 0) return text;
  std::string out = text.substr(0, static_cast<size_t>(groups[0].rm_so));
  for (size_t i = 0; i < replacement.size(); ++i) {
    const bool escaped = replacement[i] == '\\' && i + 1 < replacement.size();
    const char c = replacement[escaped ? ++i : i];
    if (!escaped || c < '0' || c > '9') {
      out += c;
    } else if (const regmatch_t& g = groups[c - '0']; g.rm_so >= 0) {
      out.append(text, static_cast<size_t>(g.rm_so), static_cast<size_t>(g.rm_eo - g.rm_so));
    }
  }
  return out.append(text, static_cast<size_t>(groups[0].rm_eo));
}

bool is_comparison(std::string_view name) { return find_comparison(name) != nullptr; }

// left, operator, right, true, false; as a filter without the first.
void filter_if(VariableValue& value, const FilterCall& call) {
  const std::string left = call.has(0) ? call.text(0) : value.text;
  const CompareRow* row = find_comparison(call.text(1));
  const Answer answer = row == nullptr ? std::nullopt : row->run(left, call.text(2), call.pattern());
  value = answer ? VariableValue{call.text(*answer ? 3 : 4)} : VariableValue{{}, true};
}

// case, result, case, result, ..., and perhaps what to use when none fits.
void filter_switch(VariableValue& value, const FilterCall& call) {
  for (size_t i = 0; i + 1 < call.count(); i += 2)
    if (call.text(i) == value.text) return void(value = {call.text(i + 1)});
  const bool otherwise = call.count() % 2 == 1;
  value = {otherwise ? call.text(call.count() - 1) : std::string(), !otherwise};
}

void filter_regexp(VariableValue& value, const FilterCall& call) {
  if (call.pattern() != nullptr) value.text = call.pattern()->replace(value.text, call.text(1));
}

}  // namespace postern
