#include "base/text.h"
#include "conf/scan.h"
#include "conf/tree.h"

namespace postern {
namespace {

constexpr size_t kMaxPath = 16;

std::vector<std::string_view> path_words(std::string_view path) { return split_words(path, "./"); }

bool is_name(std::string_view word) {
  const char c = word.empty() ? '0' : word[0];
  return c == '*' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Node value_node(const std::string& text, const Node& origin) {
  if (auto value = read_value(text)) {
    value->where = origin.where;
    return std::move(*value);
  }
  return text_node("", text, origin);
}

// The place of `word` in `at`: an element of a list by its number from 1, else a member, made when missing.
Node* stepped(Node& at, std::string_view word, const Node& origin) {
  if (at.is_sequence()) {
    const auto index = parse_number(word, at.children.size());
    return index && *index >= 1 ? &at.children[*index - 1] : nullptr;
  }
  if (!at.is_group() || !is_name(word)) return nullptr;
  return &group_in(at, word, origin);
}

void put(Node& place, Node value) {
  value.name = place.name;
  const std::string path = place.path;
  place = std::move(value);
  const size_t dot = path.rfind('.');
  if (!place.name.empty()) set_paths(place, dot == std::string::npos ? "" : path.substr(0, dot));
}

}  // namespace

void assign(Node& root, const std::string& assignment, Problems& problems) {
  Node origin;
  origin.where = "-o";
  const size_t equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals == std::string::npos ? 0 : equals);
  const auto words = path_words(trim(path));
  if (words.empty() || words.size() > kMaxPath)
    return problems.plain_error("-o: " + printable(assignment) + ": is not an assignment; accepted: NAME=VALUE");
  Node* place = &root;
  for (std::string_view word : words) {
    place = stepped(*place, word, origin);
    if (!place) return problems.plain_error("-o: " + printable(assignment) + ": there is no place of that name");
  }
  const std::string value = assignment.substr(equals + 1);
  for (const LostInteger& lost : scan_text(value).lost)
    problems.plain_error("-o: " + std::string(trim(path)) + " = " + lost.literal +
                         ": is too large for an integer without L");
  put(*place, value_node(value, origin));
}

}  // namespace postern
