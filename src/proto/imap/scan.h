// Splits a client's bytes into IMAP commands (RFC 9051 section 9), one byte string at a time, wherever it is
// cut. Everything is bounded: an element (tag, word, argument) by Limits::element, what a command's arguments
// hold together by Limits::arguments, their number by Limits::count.
#ifndef POSTERN_PROTO_IMAP_SCAN_H
#define POSTERN_PROTO_IMAP_SCAN_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace postern::imap {

// What stands behind a command's name.
enum class ArgumentStyle : uint8_t {
  Ignored,  // anything; literals are skipped, never read as commands
  Parsed,   // atoms, strings, literals, lists
  Sasl,     // one word (the mechanism), then the rest of the line as it is
};

enum class ArgumentKind : uint8_t { Atom, String, ListOpen, ListClose };

class Scanner {
 public:
  struct Limits {
    size_t element = 1026;    // CONST-3
    size_t literal = 8192;    // CONST-6, as announced
    size_t arguments = 8192;  // CONST-6
    size_t count = 520;
    bool literal_minus = false;
    size_t tag = 126;  // CONST-7
  };

  enum class Event : uint8_t {
    More,       // all input is taken
    Name,       // tag() and name() are known: call choose(), then feed() again
    Mechanism,  // argument(0) is the mechanism: call limit_sasl(), then feed() again
    Literal,    // the client waits for a continuation (IMAP-30)
    Complete,   // a command, or a line asked for with expect_line()
    Fault,      // see fault()
    kCount
  };

  enum class Fault : uint8_t {
    None,
    BadTag,           // IMAP-21; the rest of the line will be skipped
    Syntax,           // IMAP-24: syntax_error() says what; the rest of the line will be skipped
    Full,             // IMAP-33; this and what follows end the connection
    LiteralTooLarge,  // IMAP-31
    NonSyncTooLarge,  // IMAP-32
    SaslTooLong,      // IMAP-70
    kCount
  };

  struct Argument {
    ArgumentKind kind = ArgumentKind::Atom;
    uint32_t offset = 0, size = 0;
  };

  explicit Scanner(Limits limits) : limits_(limits) {}

  // Takes bytes up to the next event. After Complete the command stays readable until the next call.
  Event feed(std::string_view input, size_t& taken);
  void choose(ArgumentStyle style);
  void limit_sasl(size_t longest) { sasl_limit_ = longest; }
  // The next line is a SASL response; it becomes argument(0). Tag and name stay.
  void expect_line(size_t longest);
  // Forgets everything unfinished (IMAP-41).
  void restart();

  std::string_view tag() const { return tag_; }
  std::string_view name() const { return name_; }
  size_t argument_count() const { return arguments_.size(); }
  ArgumentKind kind(size_t i) const { return arguments_[i].kind; }
  std::string_view argument(size_t i) const { return text_.reveal().substr(arguments_[i].offset, arguments_[i].size); }
  Fault fault() const { return fault_; }
  std::string_view syntax_error() const { return syntax_error_; }

 private:
  enum class State : uint8_t {
    Start,
    Tag,
    Name,
    Choose,
    SkipLine,
    SkipLiteral,
    Between,
    Atom,
    Tilde,
    Quoted,
    Escaped,
    LiteralSize,
    LiteralClose,
    LiteralLine,
    LiteralLf,
    Literal,
    LineLf,
    SaslWord,
    SaslRest,
    Dead,
    kCount
  };
  // Takes at least one byte of `input` (never empty), or changes the state, or sets event_.
  using Step = size_t (Scanner::*)(std::string_view input);
  static const Step kSteps[];

  size_t on_start(std::string_view input);
  size_t on_tag(std::string_view input);
  size_t on_name(std::string_view input);
  size_t on_choose(std::string_view input);
  size_t on_skip_line(std::string_view input);
  size_t on_skip_literal(std::string_view input);
  size_t on_between(std::string_view input);
  size_t on_atom(std::string_view input);
  size_t on_tilde(std::string_view input);
  size_t on_quoted(std::string_view input);
  size_t on_escaped(std::string_view input);
  size_t on_literal_size(std::string_view input);
  size_t on_literal_close(std::string_view input);
  size_t on_literal_line(std::string_view input);
  size_t on_literal_lf(std::string_view input);
  size_t on_literal(std::string_view input);
  size_t on_line_lf(std::string_view input);
  size_t on_sasl_word(std::string_view input);
  size_t on_sasl_rest(std::string_view input);
  size_t on_dead(std::string_view input) { return input.size(); }

  void begin_argument(ArgumentKind kind, State state);
  bool grow_argument(std::string_view bytes);
  bool grow_element(size_t bytes);
  bool add_digit(char digit);
  void begin_literal();
  void open_or_close_list(char c);
  void end_of_arguments();
  void end_of_line();
  void wait(State state, Event event);
  void end_with(Fault fault);
  void syntax(std::string_view text);
  void note_skipped(char c);

  Limits limits_;
  State state_ = State::Start;
  Event event_ = Event::More;
  Fault fault_ = Fault::None;
  std::string_view syntax_error_;
  bool recovering_ = false;  // a fault was told, the rest of its line is being skipped
  bool sync_ = true;
  // How far the end of a skipped line looks like the announcement of a literal without waiting.
  enum class Announcement : uint8_t { None, Digits, Plus, Closed } announcement_ = Announcement::None;
  size_t element_ = 0;
  uint64_t literal_ = 0;  // announced, then left to read
  size_t sasl_limit_ = 0;
  unsigned depth_ = 0;
  std::string tag_, name_;
  SecretString text_;
  std::vector<Argument> arguments_;
};

}  // namespace postern::imap

#endif
