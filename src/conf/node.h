// A configuration file as a tree of our own: what libconfig read, with the place of every setting, and with
// assignments and older names worked in before anything is interpreted.
#ifndef POSTERN_CONF_NODE_H
#define POSTERN_CONF_NODE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

struct Node {
  enum class Kind : uint8_t { Flag, Integer, Real, Text, Array, List, Group };

  std::string name;   // empty within arrays and lists
  std::string path;   // "service.imap-login.client_limit", "passdb 2.driver"
  std::string where;  // "FILE:LINE", or "-o"
  Kind kind = Kind::Group;
  bool flag = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Node> children;

  Node* child(std::string_view wanted);
  const Node* child(std::string_view wanted) const { return const_cast<Node*>(this)->child(wanted); }
  bool is_group() const { return kind == Kind::Group; }
  bool is_sequence() const { return kind == Kind::Array || kind == Kind::List; }
  // The value for an error message: as in the file, short, secrets left out.
  std::string shown() const;
};

Node text_node(std::string_view name, std::string_view value, const Node& origin);
Node integer_node(std::string_view name, int64_t value, const Node& origin);
Node flag_node(std::string_view name, bool value, const Node& origin);

// Adds `child` to `group`, giving it and all below it their paths. The child's new place.
Node& adopt(Node& group, Node child);
// The group `name` in `group`, made at `origin`'s place when missing.
Node& group_in(Node& group, std::string_view name, const Node& origin);
// Sets path of `node` and of all below it; `parent` is the path it hangs on.
void set_paths(Node& node, const std::string& parent);
std::string child_path(const std::string& parent, std::string_view name);
void remove_child(Node& group, std::string_view name);

// Whether a key of this name holds a password (sql_connect, dnpass ...).
bool is_secret_name(std::string_view name);
// Whether `text` is a URL with a password in it, scheme://user:password@host.
bool has_url_password(std::string_view text);

// Errors and warnings of one run, in the shape of DECISIONS section 3; the first 50 errors are kept.
class Problems {
 public:
  static constexpr size_t kMaxErrors = 50;

  // `what` says what is wrong and may go on with "; accepted: ...".
  void error(const Node& node, std::string_view what);
  void warning(const Node& node, std::string_view what);
  void plain_error(std::string text);
  void plain_warning(std::string text);

  std::vector<std::string> errors, warnings;
};

}  // namespace postern

#endif
