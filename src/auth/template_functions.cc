// 2.3's functions: %{if;...} and %{METHOD;OPTIONS:NAME}.
#include <algorithm>

#include "auth/template_parser.h"
#include "base/text.h"

namespace postern {

namespace {

// The word that a function begins with; empty when it is none.
std::string_view function_name(std::string_view body) {
  const std::string_view name = body.substr(0, body.find_first_of(";:}"));
  const char next = name.size() < body.size() ? body[name.size()] : '}';
  const bool known = name == "if" ? next != ':' : next != '}' && find_digest(name).has_value();
  return known ? name : std::string_view();
}

// In functions a '\' takes the meaning of what follows, and braces come in pairs.
size_t find_paired_brace(std::string_view text, size_t at) {
  size_t open = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') ++at;
    else if (text[at] == '{') ++open;
    else if (text[at] == '}' && open-- == 0) return at;
  }
  return std::string_view::npos;
}

// In pipes a '}' may stand in quotes.
size_t find_unquoted_brace(std::string_view text, size_t at) {
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0 && c == '\\') ++at;
    else if (quote != 0) quote = c == quote ? '\0' : quote;
    else if (c == '}') return at;
    else if (c == '\'' || c == '"') quote = c;
  }
  return std::string_view::npos;
}

// One parameter of `if`, as a template; moves `at` to its ';' or the end.
Result<std::string> take_parameter(const TemplateBody& body, size_t& at) {
  std::string out;
  for (; at < body.end && body.text[at] != ';'; ++at) {
    const char c = body.text[at];
    if (c == ':') return template_error(at, "a ':' is written '\\:' here");
    if (c == '\\' && at + 1 < body.end) {
      out += body.text[++at] == '%' ? "%%" : std::string(1, body.text[at]);
      continue;
    }
    const size_t end = c == '{' ? find_paired_brace(body.text, at + 1) : at;
    if (end >= body.end) return template_error(at, "'}' is missing");
    out += body.text.substr(at, end - at + 1);
    at = end;
  }
  return out;
}

Status parse_if(const TemplateBody& body, Template::Part& part) {
  VariableFilter filter{find_filter("if")};
  for (size_t at = body.begin + 2; at < body.end;) {
    const size_t where = ++at;  // behind the ';'
    const auto text = take_parameter(body, at);
    if (!text) return Error(text.error());
    auto compiled = Template::compile_within(*text, body.depth + 1);
    if (!compiled) return template_error(where, "in a parameter of if: " + compiled.error());
    filter.arguments.push_back(std::make_shared<const Template>(std::move(*compiled)));
  }
  if (filter.arguments.size() == 4) filter.arguments.push_back(constant_argument(""));
  if (filter.arguments.size() != 5) return template_error(body.start, "if needs four or five parameters");
  part.variable = Variable::Nothing;
  return add_filter(body.start, std::move(filter), part);
}

constexpr std::string_view kOptions[] = {"rounds", "salt", "truncate",
                                         "format"};  // as %hash has them, behind the method
constexpr std::string_view kFormats[] = {"hex", "hexuc", "base64", "base64url"};

// KEY=VALUE, separated by commas. As in 2.3, a salt is the last that counts.
Status take_options(const TemplateBody& body, std::string_view options, VariableFilter& filter) {
  for (std::string_view option : split_fields(options, ',')) {
    if (option.empty()) continue;
    const size_t equals = std::min(option.find('='), option.size());
    const auto* key = std::find(std::begin(kOptions), std::end(kOptions), option.substr(0, equals));
    if (key == std::end(kOptions) || equals == option.size())
      return template_error(body.start, "unknown option '" + printable(option) + "'");
    const std::string_view value = option.substr(equals + 1);
    auto compiled = Template::compile_within(value, body.depth + 1);
    if (!compiled) return template_error(body.start, "in an option: " + compiled.error());
    if (*key == "format" && std::find(std::begin(kFormats), std::end(kFormats), value) == std::end(kFormats))
      return template_error(body.start, "unknown format '" + printable(value) + "'");
    filter.arguments[static_cast<size_t>(key - std::begin(kOptions)) + 1] =
        std::make_shared<const Template>(std::move(*compiled));
    if (*key == "salt") return {};
  }
  return {};
}

Status parse_hash(const TemplateBody& body, std::string_view method, Template::Part& part) {
  const std::string_view view = body.view();
  const size_t colon = view.find(':');
  if (colon == std::string_view::npos) return template_error(body.start, "':' and a name are missing");
  if (body.depth >= Template::kMaxDepth) return template_error(body.start, "too many functions within functions");
  VariableFilter filter{find_filter("%hash"),
                        {constant_argument(std::string(method)), nullptr, nullptr, nullptr, nullptr}};
  Status status = take_options(
      body, view.substr(std::min(method.size() + 1, colon), colon - std::min(method.size() + 1, colon)), filter);
  if (status) status = parse_body({body.text, body.begin + colon + 1, body.end, body.start, body.depth + 1}, part);
  return status ? add_filter(body.start, std::move(filter), part) : status;
}

}  // namespace

size_t find_closing_brace(std::string_view text, size_t at) {
  return function_name(text.substr(at)).empty() ? find_unquoted_brace(text, at) : find_paired_brace(text, at);
}

Status parse_body(const TemplateBody& body, Template::Part& part) {
  const std::string_view name = function_name(body.view());
  return name.empty() ? parse_pipes(body, part) : name == "if" ? parse_if(body, part) : parse_hash(body, name, part);
}

}  // namespace postern
