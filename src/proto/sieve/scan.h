// ManageSieve's syntax (RFC 5804 section 4): words and strings, of clients and of backends. Pure; nothing is copied.
#ifndef POSTERN_PROTO_SIEVE_SCAN_H
#define POSTERN_PROTO_SIEVE_SCAN_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sieve {

struct Argument {
  enum class Kind : uint8_t { Atom, Quoted, Literal };
  Kind kind = Kind::Atom;
  std::string_view raw;  // points into the input; of a quoted string what stands between the quotes

  bool is_string() const { return kind != Kind::Atom; }
  // The value; only here escapes are resolved.
  std::string text() const;
};

// One command or response line with the literals in it (SIEVE-1 to SIEVE-5).
struct Scan {
  enum class Status : uint8_t {
    Complete,    // `taken` includes the line end
    Incomplete,  // what is there so far is right; `arguments` are those that are complete
    Broken,      // `why`; `taken` is the rest of the line, 0 while its end is not there; `literal` is what that end
                 // announces
    TooLong,     // more than `limit` bytes without an end
    BigLiteral,  // a literal of `literal` bytes, more than `limit` has room for; `taken` up to its first byte
  };
  Status status = Status::Incomplete;
  std::vector<Argument> arguments;  // the command word is the first, when it is an atom
  size_t taken = 0;
  uint64_t literal = 0;
  std::string_view why;
};

// The first line of `input`, of at most `limit` bytes. {n} and {n+} mean the same (SIEVE-2). What a literal announces
// is never allocated.
Scan scan_line(std::string_view input, size_t limit);

// A backend's "OK|NO|BYE [(code)] [text]" (SIEVE-7, SIEVE-39). The parts point into the line.
struct StatusLine {
  std::string_view word;     // in any case
  std::string_view code;     // without its brackets
  std::string_view rest;     // all behind the word
  bool well_formed = false;  // nothing but these, text quoted: may be shown to a client
};
// Nothing when `line` does not begin with an atom.
std::optional<StatusLine> parse_status(std::string_view line);

// Appends `text` as a quoted string, or as a literal when a line end is in it. No NUL in `text`.
void append_string(std::string& out, std::string_view text);
// The same for people's eyes (SIEVE-6): blanks in a row become one, what is not UTF-8 is left out.
void append_text(std::string& out, std::string_view text);

}  // namespace postern::sieve

#endif
