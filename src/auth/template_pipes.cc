// 2.4's form: NAME | FILTER(ARGUMENT, KEY=ARGUMENT) + NUMBER ...
#include <algorithm>

#include "auth/template_parser.h"
#include "base/text.h"

namespace postern {

namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Parser {
 public:
  Parser(const TemplateBody& body, Template::Part& part)
      : text_(body.text.substr(0, body.end)), at_(body.begin), body_(body), part_(part) {}

  Status run() {
    Status status = take_source();
    if (status) status = take_arithmetic();
    while (status && next() == '|') {
      ++at_;
      status = take_filter();
      if (status) status = take_arithmetic();
    }
    if (status && at_ < text_.size())
      return template_error(at_, "'|' is missing before '" + printable(text_.substr(at_, 20)) + "'");
    return status;
  }

 private:
  // The next character that is no blank; 0 at the end.
  char next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  std::string_view take_name() {
    next();
    const size_t from = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  Error unknown_variable() const {
    return template_error(body_.start, "unknown variable '%{" + printable(body_.view()) + "}'");
  }

  Status take_source() {
    const size_t from = at_;
    const std::string_view name = take_name();
    if (next() == '(') {
      part_.variable = Variable::Nothing;
      at_ = from;
      const Status status = take_filter();
      if (!status) return status;
      const VariableFilter& filter = part_.filters.back();
      const bool complete =
          filter.row->without_input && (filter.row->apply != filter_if || filter.arguments[0] != nullptr);
      return complete ? Status() : template_error(from, "filter '" + std::string(name) + "' needs an input here");
    }
    Status status = take_variable(name, part_);
    if (status && at_ < text_.size() && text_[at_] == ':') return take_default();
    return status;
  }

  // NAME, or one with a field's name behind ':'. Leaves a second ':' where it is.
  Status take_variable(std::string_view name, Template::Part& part) {
    std::string_view argument;
    const bool colon = at_ < text_.size() && text_[at_] == ':';
    if (colon) {
      const size_t from = ++at_;
      while (at_ < text_.size() && std::string_view(" \t:|,)").find(text_[at_]) == std::string_view::npos) ++at_;
      argument = text_.substr(from, at_ - from);
    }
    if (auto value = global_value(colon ? std::string(name) + ':' + std::string(argument) : std::string(name))) {
      part.variable = Variable::Nothing;
      part.filters.push_back({find_filter("literal"), {constant_argument(std::move(*value))}});
      return {};
    }
    part.variable = find_variable(name);
    if (!part.variable || name.empty()) return unknown_variable();
    const std::string shown(name);
    if (has_argument(*part.variable) && argument.empty())
      return template_error(body_.start, "%{" + shown + ":NAME} needs a field name");
    if (!has_argument(*part.variable) && colon)
      return template_error(body_.start, "variable '" + shown + "' takes no ':'");
    part.argument = argument;
    return {};
  }

  // 2.3's %{passdb:NAME:DEFAULT}.
  Status take_default() {
    const size_t from = ++at_;
    at_ = std::min(text_.find('|', at_), text_.size());
    std::string_view value = text_.substr(from, at_ - from);
    if (at_ < text_.size()) value = trim(value);
    part_.filters.push_back({find_filter("default"), {constant_argument(std::string(value))}});
    return {};
  }

  Status take_arithmetic() {
    Status status;
    while (status && next() != '\0' && kArithmeticSigns.find(next()) != std::string_view::npos) {
      VariableFilter filter{find_filter("calculate"), {constant_argument(std::string(1, text_[at_])), nullptr}};
      const size_t where = at_++;
      status = take_value(filter.arguments[1]);
      if (status) status = add_filter(where, std::move(filter), part_);
    }
    return status;
  }

  Status take_filter() {
    next();
    const size_t where = at_;
    const std::string_view name = take_name();
    VariableFilter filter{name.empty() ? nullptr : find_filter(name)};
    if (filter.row == nullptr) return template_error(where, "unknown filter '" + printable(name) + "'");
    if (filter.row->apply == nullptr) return template_error(where, in_filter(*filter.row, "not supported"));
    if (next() == '(') {
      const Status status = take_arguments(filter);
      if (!status) return status;
    }
    // 2.4's `if` with an input has no left side of its own.
    if (filter.row->apply == filter_if && filter.arguments.size() == 4)
      filter.arguments.insert(filter.arguments.begin(), nullptr);
    const bool lookup = filter.row->name == "lookup" && !filter.arguments.empty();
    const Status status = lookup ? resolve_lookup(where, filter) : Status();
    return status ? add_filter(where, std::move(filter), part_) : status;
  }

  // Which variables a template uses is known when it is compiled, so the name is.
  static Status resolve_lookup(size_t where, VariableFilter& filter) {
    const auto name = constant_at(filter, 0);
    if (!name) return template_error(where, in_filter(*filter.row, "'name' must not have variables"));
    auto compiled = Template::compile_within("%{" + *name + "}", Template::kMaxDepth);
    if (!compiled || name->find_first_of("|(;{}") != std::string::npos)
      return template_error(where, in_filter(*filter.row, "unknown variable '" + printable(*name) + "'"));
    filter = {find_filter("literal"), {std::make_shared<const Template>(std::move(*compiled))}};
    return {};
  }

  Status take_arguments(VariableFilter& filter) {
    const std::vector<FilterParameter> parameters = parameters_of(*filter.row);
    ++at_;
    if (next() == ')') return ++at_, Status();
    for (size_t position = 0;; ++position, ++at_) {
      next();
      const size_t where = at_;
      const auto slot = take_slot(parameters, position);
      if (!slot) return template_error(where, in_filter(*filter.row, slot.error()));
      if (filter.arguments.size() <= *slot) filter.arguments.resize(*slot + 1);
      const Status status = take_value(filter.arguments[*slot]);
      if (!status) return status;
      if (next() == ')') return ++at_, Status();
      if (next() != ',') return template_error(at_, "',' or ')' is missing");
    }
  }

  // KEY= goes to its parameter, others by their position.
  Result<size_t> take_slot(const std::vector<FilterParameter>& parameters, size_t position) {
    const size_t from = at_;
    const std::string_view key = take_name();
    if (!key.empty() && next() == '=') {
      ++at_;
      for (size_t i = 0; i < parameters.size(); ++i)
        if (parameters[i].name == key) return i;
      return Error("unknown parameter '" + printable(key) + "'");
    }
    at_ = from;
    const bool repeats = !parameters.empty() && parameters.back().repeats;
    if (position >= parameters.size() && !repeats) return Error("too many arguments");
    return position;
  }

  // 'text', "text", a number or a variable.
  Status take_value(std::shared_ptr<const Template>& out) {
    const char c = next();
    const size_t from = at_;
    if (c == '\'' || c == '"') return take_quoted(out);
    const bool negative = c == '-';
    if (negative) ++at_;
    const std::string_view name = take_name();
    if (name.empty()) return template_error(from, "an argument is missing");
    if (negative || name.find_first_not_of("0123456789") == std::string_view::npos) {
      if (!parse_signed(text_.substr(from, at_ - from))) return template_error(from, "not a number");
      out = constant_argument(std::string(text_.substr(from, at_ - from)));
      return {};
    }
    Template made;
    made.parts().emplace_back();
    const Status status = take_variable(name, made.parts().back());
    if (!status) return template_error(from, "unknown variable '" + printable(text_.substr(from, at_ - from)) + "'");
    out = std::make_shared<const Template>(std::move(made));
    return {};
  }

  Status take_quoted(std::shared_ptr<const Template>& out) {
    static constexpr std::string_view kLetters = "nrt", kBytes = "\n\r\t";
    const size_t from = at_;
    const char quote = text_[at_++];
    std::string value;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const size_t letter = kLetters.find(text_[++at_]);
        value += letter == std::string_view::npos ? text_[at_] : kBytes[letter];
      } else {
        value += text_[at_];
      }
    }
    if (at_ == text_.size()) return template_error(from, "the quote has no end");
    ++at_;
    out = constant_argument(std::move(value));
    return {};
  }

  std::string_view text_;  // up to the '}'
  size_t at_;
  const TemplateBody& body_;
  Template::Part& part_;
};

}  // namespace

Status parse_pipes(const TemplateBody& body, Template::Part& part) { return Parser(body, part).run(); }

}  // namespace postern
