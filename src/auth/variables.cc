#include "auth/variables.h"

#include <algorithm>
#include <utility>

#include "auth/digest.h"
#include "base/text.h"

namespace postern {

namespace {

struct VariableRow {
  Variable variable;
  char letter;              // 0: none
  std::string_view name;    // 2.3
  std::string_view alias;   // 2.4, where it differs
};

constexpr VariableRow kVariables[] = {
    {Variable::User, 'u', "user", ""},
    {Variable::Username, 'n', "username", ""},
    {Variable::Domain, 'd', "domain", ""},
    {Variable::DomainFirst, 0, "domain_first", ""},
    {Variable::DomainLast, 0, "domain_last", ""},
    {Variable::Service, 's', "service", "protocol"},
    {Variable::LocalIp, 'l', "lip", "local_ip"},
    {Variable::LocalPort, 'a', "lport", "local_port"},
    {Variable::RemoteIp, 'r', "rip", "remote_ip"},
    {Variable::RemotePort, 'b', "rport", "remote_port"},
    {Variable::RealLocalIp, 0, "real_lip", "real_local_ip"},
    {Variable::RealLocalPort, 0, "real_lport", "real_local_port"},
    {Variable::RealRemoteIp, 0, "real_rip", "real_remote_ip"},
    {Variable::RealRemotePort, 0, "real_rport", "real_remote_port"},
    {Variable::Pid, 'p', "pid", "client_pid"},
    {Variable::Mechanism, 'm', "mech", "mechanism"},
    {Variable::Password, 'w', "password", ""},
    {Variable::Secured, 'c', "secured", ""},
    {Variable::Cert, 'k', "cert", ""},
    {Variable::Session, 0, "session", ""},
    {Variable::ClientId, 0, "client_id", ""},
    {Variable::LoginUser, 0, "login_user", ""},
    {Variable::LoginUsername, 0, "login_username", ""},
    {Variable::LoginDomain, 0, "login_domain", ""},
    {Variable::MasterUser, 0, "master_user", ""},
    {Variable::OriginalUser, 0, "orig_user", "original_user"},
    {Variable::OriginalUsername, 0, "orig_username", "original_username"},
    {Variable::OriginalDomain, 0, "orig_domain", "original_domain"},
    {Variable::AuthUser, 0, "auth_user", ""},
    {Variable::AuthUsername, 0, "auth_username", ""},
    {Variable::AuthDomain, 0, "auth_domain", ""},
    {Variable::LocalName, 0, "local_name", ""},
    {Variable::LoginAttempt, 0, "login_attempt", ""},
    {Variable::Sender, 0, "sender", ""},
    {Variable::Recipient, 0, "recipient", ""},
    {Variable::Home, 'h', "home", ""},
    {Variable::PassdbField, 0, "passdb", ""},
    {Variable::UserdbField, 0, "userdb", ""},
};
static_assert(std::size(kVariables) == static_cast<size_t>(Variable::kCount));

using Kind = VariableFilter::Kind;

struct ModifierRow {
  char letter;
  Kind kind;
};
constexpr ModifierRow kModifiers[] = {{'L', Kind::Lower}, {'U', Kind::Upper}, {'E', Kind::EscapeQuotes},
                                      {'X', Kind::Hex},   {'R', Kind::Reverse}, {'T', Kind::Trim},
                                      {'M', Kind::Md5}};

struct PipeRow {
  std::string_view name;
  Kind kind;
};
constexpr PipeRow kPipes[] = {{"lower", Kind::Lower},     {"upper", Kind::Upper},   {"reverse", Kind::Reverse},
                              {"username", Kind::User},   {"domain", Kind::Domain}, {"hexlify", Kind::Hex},
                              {"default", Kind::Default}, {"substr", Kind::Substr}};

// --- applying ----------------------------------------------------------------

std::string escape_quotes(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '"' || c == '\\' || c == '\'') out += '\\';
    out += c;
  }
  return out;
}

std::string substr(std::string_view value, int offset, int width) {
  const auto size = static_cast<int>(std::min<size_t>(value.size(), 1 << 20));
  const int from = std::clamp(offset < 0 ? size + offset : offset, 0, size);
  const int rest = size - from;
  const int take = width == 0 ? rest : width > 0 ? std::min(width, rest) : std::max(rest + width, 0);
  return std::string(value.substr(static_cast<size_t>(from), static_cast<size_t>(take)));
}

using Apply = std::string (*)(std::string value, const VariableFilter& filter);
constexpr Apply kApply[] = {
    [](std::string v, const VariableFilter&) { return to_lower(v); },
    [](std::string v, const VariableFilter&) { return to_upper(v); },
    [](std::string v, const VariableFilter&) { return escape_quotes(v); },
    [](std::string v, const VariableFilter&) { return hex_encode(v); },
    [](std::string v, const VariableFilter&) { return std::string(v.rbegin(), v.rend()); },
    [](std::string v, const VariableFilter&) { return std::string(trim(v)); },
    [](std::string v, const VariableFilter&) { return hex_encode(digest(DigestKind::Md5, v)); },
    [](std::string v, const VariableFilter&) { return std::string(user_part(v)); },
    [](std::string v, const VariableFilter&) { return std::string(domain_part(v)); },
    [](std::string v, const VariableFilter& f) { return v.empty() ? f.text : std::move(v); },
    [](std::string v, const VariableFilter& f) { return substr(v, f.offset, f.width); },
};
static_assert(std::size(kApply) == static_cast<size_t>(Kind::kCount));

// --- compiling ---------------------------------------------------------------

Error error_at(size_t at, std::string_view what) {
  return Error("at position " + std::to_string(at + 1) + ": " + std::string(what));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [-]DIGITS, at most four of them.
std::optional<int> take_number(std::string_view text, size_t& at) {
  const bool negative = at < text.size() && text[at] == '-';
  size_t end = at + (negative ? 1 : 0);
  int value = 0;
  const size_t first = end;
  for (; end < text.size() && is_digit(text[end]) && end - first < 4; ++end) value = value * 10 + (text[end] - '0');
  if (end == first) return std::nullopt;
  at = end;
  return negative ? -value : value;
}

// OFFSET.WIDTH, .WIDTH or WIDTH, as 2.3 reads them.
Status take_substr(std::string_view text, size_t& at, std::vector<VariableFilter>& filters) {
  if (text[at] == '0') return error_at(at, "zero padding is not supported");
  VariableFilter f{.kind = Kind::Substr};
  const auto first = take_number(text, at);
  if (at < text.size() && text[at] == '.') {
    const auto width = take_number(text, ++at);
    if (!width) return error_at(at, "a width is missing behind '.'");
    f.offset = first.value_or(0);
    f.width = *width;
  } else {
    if (!first) return error_at(at, "a number is missing behind '-'");
    f.width = *first;
  }
  filters.push_back(std::move(f));
  return {};
}

Status take_modifiers(std::string_view text, size_t& at, std::vector<VariableFilter>& filters) {
  std::vector<VariableFilter> cuts;
  while (at < text.size()) {
    const auto* m = std::find_if(std::begin(kModifiers), std::end(kModifiers),
                                 [&](const ModifierRow& row) { return row.letter == text[at]; });
    if (m != std::end(kModifiers)) {
      filters.push_back({.kind = m->kind});
      ++at;
    } else if (is_digit(text[at]) || text[at] == '-' || text[at] == '.') {
      const Status cut = take_substr(text, at, cuts);
      if (!cut) return cut;
    } else {
      break;
    }
  }
  // 2.3 cuts last, wherever the numbers stand.
  filters.insert(filters.end(), std::make_move_iterator(cuts.begin()), std::make_move_iterator(cuts.end()));
  return {};
}

// 'text' or "text" or a number; empty when there is no argument list.
Result<std::vector<std::string>> arguments_of(std::string_view list) {
  std::vector<std::string> out;
  for (std::string_view raw : split_fields(list, ',')) {
    std::string_view word = trim(raw);
    const bool quoted = word.size() >= 2 && (word[0] == '\'' || word[0] == '"') && word.back() == word[0];
    if (quoted) word = word.substr(1, word.size() - 2);
    if (!quoted && !word.empty() && word.find_first_not_of("-0123456789") != std::string_view::npos)
      return Error("argument " + std::string(word) + " is neither quoted nor a number");
    out.emplace_back(word);
  }
  return out;
}

Status finish_substr(const std::vector<std::string>& arguments, VariableFilter& f) {
  int* const targets[] = {&f.offset, &f.width};
  for (size_t i = 0; i < arguments.size() && i < 2; ++i) {
    size_t at = 0;
    const auto number = take_number(arguments[i], at);
    if (!number || at != arguments[i].size()) return Error("substr() wants numbers");
    *targets[i] = *number;
  }
  return {};
}

Status add_pipe(std::string_view text, std::vector<VariableFilter>& filters) {
  text = trim(text);
  const size_t open = text.find('(');
  const std::string_view name = trim(text.substr(0, open));
  const auto* row = std::find_if(std::begin(kPipes), std::end(kPipes), [&](const PipeRow& r) { return r.name == name; });
  if (row == std::end(kPipes)) return Error("unknown filter '" + std::string(name) + "'");
  VariableFilter f{.kind = row->kind};
  const bool wants_arguments = row->kind == Kind::Default || row->kind == Kind::Substr;
  if (open == std::string_view::npos && row->kind == Kind::Substr) return Error("substr() wants numbers");
  if (open != std::string_view::npos) {
    if (!wants_arguments || text.back() != ')') return Error("filter '" + std::string(name) + "' has wrong arguments");
    const auto arguments = arguments_of(text.substr(open + 1, text.size() - open - 2));
    if (!arguments) return Error(arguments.error());
    if (arguments->size() > (row->kind == Kind::Default ? 1u : 2u)) return Error("too many arguments");
    if (row->kind == Kind::Default) f.text = arguments->front();
    if (row->kind == Kind::Substr) {
      const Status numbers = finish_substr(*arguments, f);
      if (!numbers) return numbers;
    }
  }
  filters.push_back(std::move(f));
  return {};
}

// A '|' or '}' outside quotes, from `at` on.
size_t find_outside_quotes(std::string_view text, size_t at, std::string_view wanted) {
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0)
      quote = c == quote ? 0 : quote;
    else if (wanted.find(c) != std::string_view::npos)
      return at;
    else if (c == '\'' || c == '"')
      quote = c;
  }
  return std::string_view::npos;
}

bool has_argument(Variable variable) { return variable == Variable::PassdbField || variable == Variable::UserdbField; }

// NAME, passdb:FIELD or passdb:FIELD:DEFAULT; userdb likewise.
Status take_name(std::string_view body, Template::Part& part, std::vector<VariableFilter>& own) {
  const size_t colon = body.find(':');
  const std::string_view name = body.substr(0, colon);
  part.variable = find_variable(name);
  if (!part.variable) return Error("unknown variable '%{" + std::string(printable(body)) + "}'");
  if (has_argument(*part.variable) != (colon != std::string_view::npos))
    return Error(colon == std::string_view::npos ? "%{" + std::string(name) + ":NAME} needs a field name"
                                                 : "variable '" + std::string(name) + "' takes no ':'");
  if (colon == std::string_view::npos) return {};
  const std::string_view rest = body.substr(colon + 1);
  const size_t fallback = rest.find(':');
  part.argument = rest.substr(0, fallback);
  if (part.argument.empty()) return Error("%{" + std::string(name) + ":NAME} needs a field name");
  if (fallback != std::string_view::npos)
    own.push_back({.kind = Kind::Default, .text = std::string(rest.substr(fallback + 1))});
  return {};
}

// The inside of %{...}: a name and pipes.
Status take_long(std::string_view body, Template::Part& part, std::vector<VariableFilter>& filters) {
  const size_t pipe = find_outside_quotes(body, 0, "|");
  Status status = take_name(trim(body.substr(0, pipe)), part, filters);
  for (size_t at = pipe; status && at != std::string_view::npos;) {
    const size_t next = find_outside_quotes(body, at + 1, "|");
    status = add_pipe(body.substr(at + 1, next == std::string_view::npos ? next : next - at - 1), filters);
    at = next;
  }
  return status;
}

std::optional<Variable> find_letter(char letter) {
  for (const VariableRow& row : kVariables)
    if (row.letter == letter && letter != 0) return row.variable;
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Variable variable) { return kVariables[static_cast<size_t>(variable)].name; }

std::optional<Variable> find_variable(std::string_view long_name) {
  for (const VariableRow& row : kVariables)
    if (row.name == long_name || (!row.alias.empty() && row.alias == long_name)) return row.variable;
  return std::nullopt;
}

std::string_view user_part(std::string_view user) { return user.substr(0, user.find('@')); }

std::string_view domain_part(std::string_view user) {
  const size_t at = user.find('@');
  return at == std::string_view::npos ? std::string_view() : user.substr(at + 1);
}

Status Template::compile_one(std::string_view text, size_t& at, std::vector<Part>& parts) {
  if (parts.empty() || parts.back().variable) parts.emplace_back();
  Part& part = parts.back();
  const size_t start = at++;
  if (at < text.size() && text[at] == '%') {
    part.literal += '%';
    ++at;
    return {};
  }
  std::vector<VariableFilter> modifiers;
  const Status status = take_modifiers(text, at, modifiers);
  if (!status) return status;
  if (at == text.size()) return error_at(start, "'%' without a variable; write '%%' for a percent sign");
  if (text[at] == '{') {
    const size_t end = find_outside_quotes(text, at, "}");
    if (end == std::string_view::npos) return error_at(start, "'}' is missing");
    const Status taken = take_long(text.substr(at + 1, end - at - 1), part, part.filters);
    if (!taken) return error_at(start, taken.error());
    at = end + 1;
  } else {
    part.variable = find_letter(text[at]);
    if (!part.variable) return error_at(start, "unknown variable '%" + printable(text.substr(at, 1)) + "'");
    ++at;
  }
  part.filters.insert(part.filters.end(), std::make_move_iterator(modifiers.begin()), std::make_move_iterator(modifiers.end()));
  return {};
}

Result<Template> Template::compile(std::string_view text) {
  Template out;
  for (size_t at = 0; at < text.size();) {
    const size_t percent = std::min(text.find('%', at), text.size());
    if (percent > at) {
      if (out.parts_.empty() || out.parts_.back().variable) out.parts_.emplace_back();
      out.parts_.back().literal += text.substr(at, percent - at);
    }
    at = percent;
    if (at == text.size()) break;
    const Status status = compile_one(text, at, out.parts_);
    if (!status) return Error(status.error());
  }
  return out;
}

bool Template::is_constant() const {
  return std::none_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.variable.has_value(); });
}

bool Template::uses(Variable variable) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.variable == variable; });
}

void Template::expand_to(const Variables& variables, std::string& out) const {
  for (const Part& part : parts_) {
    out += part.literal;
    if (!part.variable) continue;
    std::string value = variables.value(*part.variable, part.argument);
    for (const VariableFilter& f : part.filters) value = kApply[static_cast<size_t>(f.kind)](std::move(value), f);
    out += value;
  }
}

std::string Template::expand(const Variables& variables) const {
  std::string out;
  expand_to(variables, out);
  return out;
}

}  // namespace postern
