// What the runner of dialogues and the cores it runs have in common: a log of what happened, and a core as the runner
// sees it.
#ifndef POSTERN_T_SUPPORT_DIALOGUE_SUBJECT_H
#define POSTERN_T_SUPPORT_DIALOGUE_SUBJECT_H

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "support/dialogue.h"

namespace postern::test {

// --- what happened ------------------------------------------------------------

// Actions in order. What is sent in pieces is one stream, so that a cut does not show.
class ActionLog {
 public:
  void stream(char kind, std::string_view bytes) {
    if (bytes.empty()) return;
    if (entries_.empty() || entries_.back().first != kind) entries_.emplace_back(kind, std::string());
    entries_.back().second += bytes;
  }
  void action(std::string text) { entries_.emplace_back('!', std::move(text)); }
  void state(std::string text) { entries_.emplace_back('?', std::move(text)); }
  void told(std::string text) { entries_.emplace_back('=', std::move(text)); }
  void note(std::string text) { notes_.push_back(std::move(text)); }
  void undo(std::string_view action) {
    if (!entries_.empty() && entries_.back().first == '!' && entries_.back().second == action) entries_.pop_back();
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& [kind, text] : entries_) {
      if (kind == '!' || kind == '?' || kind == '=')
        out.push_back(std::string(1, kind) + " " + printable(text, text.size()));
      else split(kind, text, out);
    }
    for (const std::string& note : notes_) out.push_back("! note " + printable(note, note.size()));
    return out;
  }

 private:
  static void split(char kind, std::string_view text, std::vector<std::string>& out) {
    while (!text.empty()) {
      const size_t end = text.find("\r\n");
      const bool whole = end != std::string_view::npos;
      const std::string_view line = text.substr(0, end);
      out.push_back(std::string(1, kind) + (whole ? ": " : "- ") + printable(line, line.size()));
      text.remove_prefix(whole ? end + 2 : text.size());
    }
  }

  std::vector<std::pair<char, std::string>> entries_;
  std::vector<std::string> notes_;
};

// --- cores ---------------------------------------------------------------------

enum class Mood { Reading, AwaitsAnswer, AwaitsTls, Over, Gone };  // Gone: what is left does not matter

class Subject {
 public:
  virtual ~Subject() = default;
  virtual size_t feed(std::string_view input) = 0;
  // Takes an = line; false when it is not known.
  virtual bool tell(std::string_view word, const std::string& rest) = 0;
  virtual std::string state(std::string_view word) const = 0;
  virtual bool reads_before_tls() const { return false; }
  // It is to be fed once more, with no input, too.
  virtual bool goes_on() const { return false; }
  Mood mood() const { return mood_; }
  ActionLog log;
  bool in_order = false;  // the dialogue runs line by line

 protected:
  Mood mood_ = Mood::Reading;
};

std::unique_ptr<Subject> make_delivery_front_subject(const Dialogue& dialogue);
std::unique_ptr<Subject> make_delivery_back_subject(const Dialogue& dialogue);

// --- words ---------------------------------------------------------------------

inline std::pair<std::string, std::string> first_word(std::string_view text) {
  const size_t blank = std::min(text.find(' '), text.size());
  return {std::string(text.substr(0, blank)), std::string(text.substr(std::min(blank + 1, text.size())))};
}

// "forwarded remote_ip=192.0.2.1 ...", as ! lines have it.
std::string describe(const ForwardedFacts& facts);
// The Parting that an = line names ("goodbye", "shutdown" ...); nothing when it names none.
std::optional<Parting> parting_named(std::string_view word);
// ConnectionFacts as words.
ConnectionFacts facts_from(std::string_view words);
std::string describe(const ProtocolFacts& facts);

}  // namespace postern::test

#endif
