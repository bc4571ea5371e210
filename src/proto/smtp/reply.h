// SMTP and LMTP replies, both ways (RFC 5321 section 4.2, RFC 2034; SUB-6, SUB-38, SUB-42). Pure.
#ifndef POSTERN_PROTO_SMTP_REPLY_H
#define POSTERN_PROTO_SMTP_REPLY_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::smtp {

// One line of a reply: "250-text", "250 text" or a bare "250"; the code is from 200 to 559.
struct ReplyLine {
  unsigned code = 0;
  bool last = true;
  std::string_view text{};  // part of the line
};
std::optional<ReplyLine> parse_reply_line(std::string_view line);

// "5.7.8" at the start of `text`, followed by a blank or the end; empty when there is none.
std::string_view enhanced_code(std::string_view text);

struct Reply {
  unsigned code = 0;
  std::vector<std::string> lines;  // texts behind code and separator, as they came

  // 2 to 5, the first digit.
  unsigned kind() const { return code / 100; }
  // The enhanced code of the first line when its class is that of the reply (SUB-42); else empty.
  std::string_view enhanced() const;
  // For a client: lines joined by CRLF, none at the end. Control bytes are made visible, an enhanced code of another
  // class is left out.
  std::string text() const;
  // The last line for a log.
  std::string summary() const;
};

// Gathers the lines of one reply after the other; a plain value.
class ReplyReader {
 public:
  enum class State : uint8_t { More, Complete, Broken };
  static constexpr unsigned kMaxLines = 128;  // SUB-42
  static constexpr size_t kMaxBytes = 32 * 1024;

  // One line without its end. Broken: no reply line, another code than before, or too long; why() says it.
  State take(std::string_view line);
  // The reply of the last Complete; the reader begins anew.
  Reply reply();
  const char* why() const { return why_; }

 private:
  State broken(const char* why);

  Reply reply_;
  size_t bytes_ = 0;
  const char* why_ = "";
};

// "535 5.7.8 text" with CRLF. `enhanced` may be empty.
std::string format_reply(unsigned code, std::string_view enhanced, std::string_view text);
// "250-first", "250 last", each with CRLF; for replies without enhanced codes.
std::string format_lines(unsigned code, const std::vector<std::string>& lines);

}  // namespace postern::smtp

#endif
