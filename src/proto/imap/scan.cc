#include "proto/imap/scan.h"

#include <algorithm>

namespace postern::imap {

namespace {

constexpr uint64_t kMaxNonSync = 4096;  // RFC 7888 section 5

bool is_line_end(char c) { return c == '\r' || c == '\n'; }
bool is_8bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_tag_char(char c) {
  return !is_control(c) && !is_8bit(c) && std::string_view(" (){%*\"\\+").find(c) == std::string_view::npos;
}

// Wider than RFC 9051's atom: people type passwords with % and * without quotes.
bool is_atom_char(char c) {
  return !is_control(c) && !is_8bit(c) && std::string_view(" (){\"").find(c) == std::string_view::npos;
}

template <class P>
size_t run_length(std::string_view input, P belongs) {
  return static_cast<size_t>(std::find_if_not(input.begin(), input.end(), belongs) - input.begin());
}

}  // namespace

const Scanner::Step Scanner::kSteps[] = {
    &Scanner::on_start,         &Scanner::on_tag,          &Scanner::on_name,       &Scanner::on_choose,
    &Scanner::on_skip_line,     &Scanner::on_skip_literal, &Scanner::on_between,    &Scanner::on_atom,
    &Scanner::on_tilde,         &Scanner::on_quoted,       &Scanner::on_escaped,    &Scanner::on_literal_size,
    &Scanner::on_literal_close, &Scanner::on_literal_line, &Scanner::on_literal_lf, &Scanner::on_literal,
    &Scanner::on_line_lf,       &Scanner::on_sasl_word,    &Scanner::on_sasl_rest,  &Scanner::on_dead,
};

Scanner::Event Scanner::feed(std::string_view input, size_t& taken) {
  static_assert(sizeof kSteps / sizeof kSteps[0] == static_cast<size_t>(State::kCount));
  event_ = Event::More;
  taken = 0;
  while (event_ == Event::More && taken < input.size()) {
    const Step step =
        kSteps[static_cast<size_t>(state_)];  // in one expression with the call, GCC 12's UBSan sees a wild index
    taken += (this->*step)(input.substr(taken));
  }
  return event_;
}

void Scanner::choose(ArgumentStyle style) {
  static constexpr State kFirst[] = {State::SkipLine, State::Between, State::SaslWord};
  state_ = kFirst[static_cast<size_t>(style)];
  element_ = 0;
  if (style == ArgumentStyle::Sasl) begin_argument(ArgumentKind::Atom, State::SaslWord);
}

void Scanner::expect_line(size_t longest) {
  text_.wipe();
  arguments_.clear();
  sasl_limit_ = longest;
  begin_argument(ArgumentKind::String, State::SaslRest);
}

void Scanner::restart() {
  state_ = State::Start;
  tag_.clear();
  name_.clear();
  text_.wipe();
  arguments_.clear();
}

size_t Scanner::on_start(std::string_view) {
  restart();
  fault_ = Fault::None;
  recovering_ = false;
  announcement_ = Announcement::None;
  depth_ = 0;
  element_ = 0;
  state_ = State::Tag;
  return 0;
}

size_t Scanner::on_tag(std::string_view input) {
  const size_t n = run_length(input, is_tag_char);
  if (!grow_element(n)) return 0;
  tag_.append(input.substr(0, n));
  if (n == input.size()) return n;
  const bool usable = !tag_.empty() && tag_.size() <= limits_.tag && (input[n] == ' ' || is_line_end(input[n]));
  if (!usable) {
    tag_.clear();
    recovering_ = true;
    fault_ = Fault::BadTag;
    wait(State::SkipLine, Event::Fault);
    return n;
  }
  element_ = 0;
  state_ = State::Name;
  return input[n] == ' ' ? n + 1 : n;
}

size_t Scanner::on_name(std::string_view input) {
  const size_t n = run_length(input, [](char c) { return c != ' ' && !is_line_end(c); });
  if (!grow_element(n)) return 0;
  name_.append(input.substr(0, n));
  if (n == input.size()) return n;
  wait(State::Choose, Event::Name);
  return input[n] == ' ' ? n + 1 : n;
}

// Only reached when the caller forgot choose(): nothing of the line is understood then.
size_t Scanner::on_choose(std::string_view) {
  choose(ArgumentStyle::Ignored);
  return 0;
}

// A literal that does not wait for us is the client's data, also behind a command we refuse.
size_t Scanner::on_skip_line(std::string_view input) {
  const size_t n = run_length(input, [](char c) { return c != '\n'; });
  if (!grow_element(n)) return 0;
  for (char c : input.substr(0, n)) note_skipped(c);
  if (n == input.size()) return n;
  if (announcement_ != Announcement::Closed) {
    end_of_line();
  } else if (literal_ > limits_.literal) {
    end_with(Fault::LiteralTooLarge);
  } else {
    announcement_ = Announcement::None;
    state_ = State::SkipLiteral;
  }
  return n + 1;
}

void Scanner::note_skipped(char c) {
  const Announcement before = announcement_;
  announcement_ = Announcement::None;
  if (c == '{') {
    literal_ = 0;
    announcement_ = Announcement::Digits;
  } else if (before == Announcement::Digits && is_digit(c)) {
    if (literal_ <= limits_.literal) literal_ = literal_ * 10 + static_cast<uint64_t>(c - '0');
    announcement_ = Announcement::Digits;
  } else if (before == Announcement::Digits && c == '+') {
    announcement_ = Announcement::Plus;
  } else if ((before == Announcement::Plus && c == '}') || (before == Announcement::Closed && c == '\r')) {
    announcement_ = Announcement::Closed;
  }
}

size_t Scanner::on_skip_literal(std::string_view input) {
  const auto n = static_cast<size_t>(std::min<uint64_t>(literal_, input.size()));
  literal_ -= n;
  if (literal_ == 0) {
    element_ = 0;
    state_ = State::SkipLine;
  }
  return n;
}

size_t Scanner::on_between(std::string_view input) {
  const char c = input[0];
  if (c == ' ') return 1;
  element_ = 0;
  if (c == '\r') {
    state_ = State::LineLf;
  } else if (c == '\n') {
    end_of_arguments();
    return event_ == Event::Complete ? 1 : 0;
  } else if (c == '"') {
    begin_argument(ArgumentKind::String, State::Quoted);
  } else if (c == '{') {
    literal_ = 0;
    sync_ = true;
    begin_argument(ArgumentKind::String, State::LiteralSize);
  } else if (c == '(' || c == ')') {
    open_or_close_list(c);
  } else if (c == '~') {
    state_ = State::Tilde;
  } else {
    begin_argument(ArgumentKind::Atom, State::Atom);
    return 0;
  }
  return event_ == Event::More ? 1 : 0;
}

void Scanner::open_or_close_list(char c) {
  if (c == ')' && depth_ == 0) return syntax("Unexpected ')'");
  depth_ += c == '(' ? 1 : -1u;
  begin_argument(c == '(' ? ArgumentKind::ListOpen : ArgumentKind::ListClose, State::Between);
}

size_t Scanner::on_tilde(std::string_view input) {
  if (input[0] == '{') {
    syntax("literal8 not allowed here");
    return 0;
  }
  begin_argument(ArgumentKind::Atom, State::Atom);
  if (state_ == State::Atom) grow_argument("~");
  return 0;
}

size_t Scanner::on_atom(std::string_view input) {
  const size_t n = run_length(input, is_atom_char);
  if (!grow_argument(input.substr(0, n))) return 0;
  if (n == input.size()) return n;
  const char c = input[n];
  if (c == ' ' || is_line_end(c) || (c == ')' && depth_ > 0)) state_ = State::Between;
  else syntax(is_8bit(c) ? "8bit data in atom" : "Invalid characters in atom");
  return n;
}

size_t Scanner::on_quoted(std::string_view input) {
  const size_t n = run_length(input, [](char c) { return c != '"' && c != '\\' && c != '\0' && !is_line_end(c); });
  if (!grow_argument(input.substr(0, n))) return 0;
  if (n == input.size()) return n;
  const char c = input[n];
  if (is_line_end(c) || c == '\0') {
    syntax(c == '\0' ? "NULs not allowed in strings" : "Missing '\"'");
    return n;
  }
  state_ = c == '"' ? State::Between : State::Escaped;
  return n + 1;
}

size_t Scanner::on_escaped(std::string_view input) {
  state_ = State::Quoted;
  if (is_line_end(input[0]) || input[0] == '\0') return 0;
  grow_argument(input.substr(0, 1));
  return 1;
}

size_t Scanner::on_literal_size(std::string_view input) {
  const char c = input[0];
  if (is_digit(c)) return add_digit(c) ? 1 : 0;
  if (c == '}') {
    state_ = State::LiteralLine;
  } else if (c == '+') {
    sync_ = false;
    state_ = State::LiteralClose;
  } else {
    syntax("Invalid literal size");
    return 0;
  }
  return 1;
}

bool Scanner::add_digit(char digit) {
  const auto value = static_cast<uint64_t>(digit - '0');
  if (literal_ > (UINT64_MAX - value) / 10) {
    end_with(Fault::LiteralTooLarge);
    return false;
  }
  literal_ = literal_ * 10 + value;
  return grow_element(1);
}

size_t Scanner::on_literal_close(std::string_view input) {
  if (input[0] != '}') {
    syntax("Invalid literal size");
    return 0;
  }
  state_ = State::LiteralLine;
  return 1;
}

size_t Scanner::on_literal_line(std::string_view input) {
  if (input[0] == '\r') {
    state_ = State::LiteralLf;
    return 1;
  }
  return on_literal_lf(input);
}

size_t Scanner::on_literal_lf(std::string_view input) {
  if (input[0] != '\n') {
    syntax("Missing LF after literal size");
    return 0;
  }
  begin_literal();
  return 1;
}

void Scanner::begin_literal() {
  if (literal_ > limits_.literal) return end_with(Fault::LiteralTooLarge);
  if (!sync_ && limits_.literal_minus && literal_ > kMaxNonSync) return end_with(Fault::NonSyncTooLarge);
  element_ = 0;
  state_ = literal_ == 0 ? State::Between : State::Literal;
  if (sync_) event_ = Event::Literal;
}

size_t Scanner::on_literal(std::string_view input) {
  const std::string_view part = input.substr(0, std::min<uint64_t>(literal_, input.size()));
  literal_ -= part.size();
  if (part.find('\0') != std::string_view::npos) {
    syntax("NULs not allowed in strings");
    if (literal_ > 0) state_ = State::SkipLiteral;
    return part.size();
  }
  if (grow_argument(part) && literal_ == 0) state_ = State::Between;
  return part.size();
}

size_t Scanner::on_line_lf(std::string_view input) {
  if (input[0] != '\n') {
    syntax("CR sent without LF");
    return 0;
  }
  end_of_arguments();
  return event_ == Event::Complete ? 1 : 0;
}

size_t Scanner::on_sasl_word(std::string_view input) {
  const size_t n = run_length(input, [](char c) { return c != ' ' && !is_line_end(c); });
  if (!grow_argument(input.substr(0, n))) return 0;
  if (n == input.size()) return n;
  wait(State::Between, Event::Mechanism);
  if (input[n] != ' ') return n;
  begin_argument(ArgumentKind::String, State::SaslRest);
  return n + 1;
}

// Not an element: this line alone may be long, and is taken as it comes (CONST-5).
size_t Scanner::on_sasl_rest(std::string_view input) {
  const size_t n = run_length(input, [](char c) { return c != '\n'; });
  Argument& line = arguments_.back();
  if (line.size + n > sasl_limit_ + 1) {
    end_with(Fault::SaslTooLong);
    return n;
  }
  text_.append(input.substr(0, n));
  line.size += static_cast<uint32_t>(n);
  if (n == input.size()) return n;
  if (line.size > 0 && text_.reveal().back() == '\r') --line.size;
  if (line.size > sasl_limit_) end_with(Fault::SaslTooLong);
  else end_of_line();
  return n + 1;
}

void Scanner::begin_argument(ArgumentKind kind, State state) {
  if (arguments_.size() >= limits_.count) return syntax("Too many arguments");
  arguments_.push_back({kind, static_cast<uint32_t>(text_.size()), 0});
  state_ = state;
}

bool Scanner::grow_argument(std::string_view bytes) {
  if (!grow_element(bytes.size())) return false;
  if (text_.size() + bytes.size() > limits_.arguments) {
    end_with(Fault::Full);
    return false;
  }
  text_.append(bytes);
  arguments_.back().size += static_cast<uint32_t>(bytes.size());
  return true;
}

bool Scanner::grow_element(size_t bytes) {
  element_ += bytes;
  if (element_ < limits_.element) return true;
  end_with(Fault::Full);
  return false;
}

void Scanner::end_of_arguments() {
  if (depth_ > 0) return syntax("Missing ')'");
  end_of_line();
}

void Scanner::end_of_line() {
  state_ = State::Start;
  if (!recovering_) event_ = Event::Complete;
}

void Scanner::wait(State state, Event event) {
  state_ = state;
  event_ = event;
}

void Scanner::end_with(Fault fault) {
  text_.wipe();
  arguments_.clear();
  fault_ = fault;
  wait(State::Dead, Event::Fault);
}

void Scanner::syntax(std::string_view text) {
  recovering_ = true;
  element_ = 0;
  syntax_error_ = text;
  fault_ = Fault::Syntax;
  wait(State::SkipLine, Event::Fault);
}

}  // namespace postern::imap
