// Small pieces of IMAP syntax as we write and read it.
#ifndef POSTERN_PROTO_IMAP_STRINGS_H
#define POSTERN_PROTO_IMAP_STRINGS_H

#include <optional>
#include <string>
#include <string_view>

namespace postern::imap {

// Appends `text` as a quoted string, or as a literal that is not waited for (PXI-20). No NUL in `text`.
void append_string(std::string& out, std::string_view text);
// A quoted string always; bytes that cannot stand in one (8-bit, CR, LF) are left out.
void append_quoted(std::string& out, std::string_view text);

// "[CODE args] text" in two; nothing when there is no code or it does not end.
struct CodedText {
  std::string_view code;  // without brackets
  std::string_view text;
};
std::optional<CodedText> split_code(std::string_view reply);
// The list of a CAPABILITY code, or nothing.
std::optional<std::string_view> capability_code(std::string_view reply);

// Whether `word` stands in the blank-separated `list`, in any case.
bool has_word(std::string_view list, std::string_view word);

}  // namespace postern::imap

#endif
