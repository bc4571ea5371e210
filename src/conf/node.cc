#include "conf/node.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "base/text.h"

namespace postern {
namespace {

constexpr size_t kShownBytes = 100;

std::string shown_text(const Node& node) {
  if (is_secret_name(node.name) || has_url_password(node.text) || node.text.starts_with("-----BEGIN"))
    return "\"<hidden>\"";
  return fmt::format("\"{}\"", printable(node.text, kShownBytes));
}

std::string shown_sequence(const Node& node) {
  std::string out;
  for (const Node& child : node.children) {
    if (out.size() > kShownBytes) return out + ", ...";
    if (!out.empty()) out += ", ";
    out += child.shown();
  }
  return out;
}

Node like(std::string_view name, const Node& origin, Node::Kind kind) {
  Node node;
  node.name = name;
  node.where = origin.where;
  node.kind = kind;
  return node;
}

}  // namespace

Node* Node::child(std::string_view wanted) {
  for (Node& c : children)
    if (c.name == wanted) return &c;
  return nullptr;
}

std::string Node::shown() const {
  if (kind == Kind::Flag) return flag ? "true" : "false";
  if (kind == Kind::Integer) return std::to_string(integer);
  if (kind == Kind::Real) return fmt::format("{}", real);
  if (kind == Kind::Text) return shown_text(*this);
  if (kind == Kind::Array) return "[ " + shown_sequence(*this) + " ]";
  return kind == Kind::List ? "( ... )" : "{ ... }";
}

Node text_node(std::string_view name, std::string_view value, const Node& origin) {
  Node node = like(name, origin, Node::Kind::Text);
  node.text = value;
  return node;
}

Node integer_node(std::string_view name, int64_t value, const Node& origin) {
  Node node = like(name, origin, Node::Kind::Integer);
  node.integer = value;
  return node;
}

Node flag_node(std::string_view name, bool value, const Node& origin) {
  Node node = like(name, origin, Node::Kind::Flag);
  node.flag = value;
  return node;
}

std::string child_path(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : fmt::format("{}.{}", parent, name);
}

void set_paths(Node& node, const std::string& parent) {
  node.path = child_path(parent, node.name);
  size_t index = 0;
  for (Node& child : node.children) {
    ++index;
    if (!node.is_sequence()) {
      set_paths(child, node.path);
      continue;
    }
    child.path = fmt::format("{} {}", node.path, index);
    for (Node& grandchild : child.children) set_paths(grandchild, child.path);
  }
}

Node& adopt(Node& group, Node child) {
  Node& placed = group.children.emplace_back(std::move(child));
  set_paths(placed, group.path);
  return placed;
}

Node& group_in(Node& group, std::string_view name, const Node& origin) {
  if (Node* there = group.child(name)) return *there;
  return adopt(group, like(name, origin, Node::Kind::Group));
}

void remove_child(Node& group, std::string_view name) {
  std::erase_if(group.children, [name](const Node& c) { return c.name == name; });
}

bool is_secret_name(std::string_view name) {
  static constexpr std::string_view kEndings[] = {"connect", "dnpass", "password", "secret", "uri", "http_header"};
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [name](std::string_view e) { return name.ends_with(e); });
}

bool has_url_password(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  const size_t start = scheme + 3, end = std::min(text.find_first_of("/?#", start), text.size());
  const std::string_view authority = text.substr(start, end - start);
  const size_t at = authority.find('@');
  return at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
}

void Problems::error(const Node& node, std::string_view what) {
  if (node.is_group() || node.kind == Node::Kind::List)
    plain_error(fmt::format("{}: {}: {}", node.where, node.path, what));
  else plain_error(fmt::format("{}: {} = {}: {}", node.where, node.path, node.shown(), what));
}

void Problems::warning(const Node& node, std::string_view what) {
  plain_warning(fmt::format("{}: {}: {}", node.where, node.path, what));
}

void Problems::plain_error(std::string text) {
  if (errors.size() < kMaxErrors) errors.push_back(std::move(text));
}

void Problems::plain_warning(std::string text) {
  if (warnings.size() < kMaxErrors) warnings.push_back(std::move(text));
}

}  // namespace postern
