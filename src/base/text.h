// Small text tools. Everything is ASCII-only and locale-free: protocol words are.
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
// Equal without regard to ASCII case.
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);
// Words between any of `separators`; empty words are left out.
std::vector<std::string_view> split_words(std::string_view text, std::string_view separators = " \t");
// Fields between every `separator`, empty ones included ("a::b" gives three).
std::vector<std::string_view> split_fields(std::string_view text, char separator);
// Decimal number without sign, blanks or anything behind it; nothing when above `max`.
std::optional<uint64_t> parse_number(std::string_view text, uint64_t max = UINT64_MAX);

// Peer text made safe for a log, a terminal or another peer: control bytes as \xNN, at most `limit`
// bytes of input, "..." when cut (DECISIONS section 7: 160, user names 80).
std::string printable(std::string_view text, size_t limit = 160);
// The same without control bytes at all; for lines that must keep their length class.
bool has_control(std::string_view text);

// Length of the UTF-8 sequence at the start of `text`, 0 when there is none (RFC 3629 section 4).
size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

// `*` and `?` as in shells, without regard to case.
bool matches_wildcard(std::string_view text, std::string_view pattern);

// The name in `known` nearest to `given` by edit distance, or empty when none is near.
std::string_view nearest(std::string_view given, const std::vector<std::string_view>& known);

// TAB-escaping of Dovecot's auth protocol and XCLIENT FORWARD (POP-32).
std::string tab_escape(std::string_view text);
std::optional<std::string> tab_unescape(std::string_view text);

}  // namespace postern

#endif
