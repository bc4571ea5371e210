#include "conf/older_names.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/text.h"
#include "conf/services.h"
#include "conf/tree.h"
#include "conf/values.h"

namespace postern {
namespace {

// Where an older name may stand.
enum class Scope : uint8_t { Top, Filter, Service, Database };

// What becomes of it: new name and value; no name: it is dropped.
struct Replacement {
  std::string name;
  Node value;
};
using Translate = std::optional<Replacement> (*)(const Node& old, std::string_view name);

struct OlderName {
  std::string_view old;
  std::string_view name;
  Scope scope;
  Translate translate;
};

std::optional<bool> flag_of(const Node& node) {
  if (node.kind == Node::Kind::Flag) return node.flag;
  if (node.kind != Node::Kind::Text) return std::nullopt;
  if (iequals(node.text, "yes") || iequals(node.text, "true")) return true;
  if (iequals(node.text, "no") || iequals(node.text, "false")) return false;
  return std::nullopt;
}

std::optional<Replacement> same(const Node& old, std::string_view name) {
  Node value = old;
  value.name = name;
  return Replacement{std::string(name), std::move(value)};
}

std::optional<Replacement> inverted(const Node& old, std::string_view name) {
  const auto flag = flag_of(old);
  if (!flag) return same(old, name);
  return Replacement{std::string(name), flag_node(name, !*flag, old)};
}

std::optional<Replacement> zero_if_unlimited(const Node& old, std::string_view name) {
  const bool word = old.kind == Node::Kind::Text && (iequals(old.text, "unlimited") || iequals(old.text, "infinite"));
  return word ? Replacement{std::string(name), integer_node(name, 0, old)} : same(old, name);
}

std::optional<Replacement> dropped(const Node&, std::string_view) { return Replacement{"", Node{}}; }

// pass = true: what a right password is followed by.
std::optional<Replacement> pass_result(const Node& old, std::string_view name) {
  const auto flag = flag_of(old);
  if (!flag || !*flag) return dropped(old, name);
  return Replacement{std::string(name), text_node(name, "continue", old)};
}

// 1.x: login_process_per_connection.
std::optional<Replacement> per_connection(const Node& old, std::string_view name) {
  const auto flag = flag_of(old);
  if (!flag) return std::nullopt;
  return Replacement{std::string(name), integer_node(name, *flag ? 1 : 0, old)};
}

// 1.x counted megabytes.
std::optional<Replacement> megabytes(const Node& old, std::string_view name) {
  if (old.kind == Node::Kind::Integer)
    return Replacement{std::string(name), text_node(name, fmt::format("{} M", old.integer), old)};
  return same(old, name);
}

constexpr OlderName kNames[] = {
    {"auth_allow_cleartext", "disable_plaintext_auth", Scope::Filter, inverted},
    {"ssl_server_cert_file", "ssl_cert", Scope::Filter, same},
    {"ssl_server_key_file", "ssl_key", Scope::Filter, same},
    {"ssl_cert_file", "ssl_cert", Scope::Filter, same},
    {"ssl_key_file", "ssl_key", Scope::Filter, same},
    {"auth_default_domain", "auth_default_realm", Scope::Top, same},
    {"login_user", "default_login_user", Scope::Top, same},
    {"restart_request_count", "service_count", Scope::Service, zero_if_unlimited},
    {"idle_kill_interval", "idle_kill", Scope::Service, zero_if_unlimited},
    {"mechanisms_filter", "mechanisms", Scope::Database, same},
    {"fields_import_all", "", Scope::Database, dropped},
    {"pass", "result_success", Scope::Database, pass_result},
};

// 1.x settings of all login services (MASTER-46).
constexpr OlderName kLoginNames[] = {
    {"login_process_per_connection", "service_count", Scope::Service, per_connection},
    {"login_processes_count", "process_min_avail", Scope::Service, same},
    {"login_max_processes_count", "process_limit", Scope::Service, same},
    {"login_max_connections", "client_limit", Scope::Service, same},
    {"login_process_size", "vsz_limit", Scope::Service, megabytes},
    {"login_executable", "executable", Scope::Service, same},
};

std::string line_of(const Node& node) { return fmt::format("{} = {};", node.name, node.shown()); }

class Replacer {
 public:
  Replacer(Node& root, Problems& problems) : root_(root), problems_(problems) {}

  void run() {
    capability_group();
    protocol_words();
    login_settings();
    group(root_, Scope::Top);
    filters(root_);
    services();
    databases("passdb");
    databases("userdb");
    for (Node& node : pending_) adopt(root_, std::move(node));
  }

 private:
  static bool may_stand(Scope given, Scope at) { return given == at || (given == Scope::Filter && at == Scope::Top); }

  void group(Node& at, Scope scope) {
    for (const OlderName& older : kNames)
      if (may_stand(older.scope, scope))
        if (const Node* found = at.child(older.old)) replace(at, Node(*found), older);
  }

  void replace(Node& at, const Node& old, const OlderName& older) {
    const auto replacement = older.translate(old, older.name);
    if (!replacement) return problems_.error(old, "is neither yes nor no");
    if (replacement->name.empty()) {
      remove_child(at, old.name);
      return problems_.warning(old, "is not needed any more; remove it");
    }
    if (at.child(replacement->name))
      return problems_.error(
          old, fmt::format("is the older name of {}, which is there too; accepted: one of them", replacement->name));
    remove_child(at, old.name);
    const Node& placed = adopt(at, replacement->value);
    problems_.warning(old, "is an older name; write " + line_of(placed));
  }

  // Each is put into every login service that has no such key of its own.
  void login_settings() {
    for (const OlderName& older : kLoginNames) {
      const Node* found = root_.child(older.old);
      if (!found) continue;
      const Node old = *found;
      remove_child(root_, older.old);
      const auto replacement = older.translate(old, older.name);
      if (!replacement) problems_.error(old, "is neither yes nor no");
      else into_login_services(old, *replacement);
    }
  }

  void into_login_services(const Node& old, const Replacement& replacement) {
    Node& services = group_in(root_, "service", old);
    for (const ServiceRow& row : service_rows()) {
      if (row.kind != ServiceKind::Login || row.executable.empty()) continue;
      Node& service = group_in(services, row.name, old);
      if (!service.is_group()) continue;
      if (const Node* both = service.child(replacement.name)) {
        problems_.error(old,
                        fmt::format("is the older name of {}, which is there too; accepted: one of them", both->path));
        continue;
      }
      adopt(service, replacement.value);
    }
    problems_.warning(
        old, fmt::format("is an older name; write service: {{ NAME-login: {{ {} }}; }};", line_of(replacement.value)));
  }

  void filters(Node& at) {
    for (const char* name : {"local", "local_name", "remote"})
      if (Node* list = at.child(name)) {
        if (list->is_group()) filter(*list);
        for (Node& element : list->children)
          if (list->is_sequence() && element.is_group()) filter(element);
      }
    Node* protocols = at.child("protocol");
    if (!protocols || !protocols->is_group()) return;
    rename_protocol_blocks(*protocols);
    for (Node& block : protocols->children)
      if (block.is_group()) filter(block);
  }

  void filter(Node& block) {
    group(block, Scope::Filter);
    filters(block);
  }

  void services() {
    Node* all = root_.child("service");
    if (!all || !all->is_group()) return;
    anvil(*all);
    for (Node& service : all->children)
      if (service.is_group()) group(service, Scope::Service);
  }

  // service.anvil is ours under the name state; its penalty socket with mode 0 switched the penalty off.
  void anvil(Node& services) {
    Node* found = services.child("anvil");
    if (!found) return;
    if (services.child("state"))
      return problems_.error(*found, "is the older name of service.state, which is there too; accepted: one of them");
    penalty_socket(*found);
    problems_.warning(*found, "is an older name; write service: { state: { ... }; };");
    found->name = "state";
    set_paths(*found, services.path);
  }

  void penalty_socket(Node& anvil) {
    Node* list = anvil.child("unix_listener");
    if (!list) return;
    auto is_penalty = [](const Node& n) {
      const Node* path = n.child("path");
      return path && path->text == "anvil-auth-penalty";
    };
    for (const Node& element : list->children) {
      if (!is_penalty(element)) continue;
      const Node* mode = element.child("mode");
      if (mode && (mode->text == "0" || (mode->kind == Node::Kind::Integer && mode->integer == 0)))
        penalty_off(element);
    }
    std::erase_if(list->children, is_penalty);
  }

  void penalty_off(const Node& origin) {
    if (const Node* both = root_.child("auth_penalty"))
      return problems_.error(*both, "is there, and anvil-auth-penalty too; accepted: one of them");
    problems_.warning(origin, "is an older form; write auth_penalty = false;");
    pending_.push_back(flag_node("auth_penalty", false, origin));
  }

  void databases(const char* name) {
    Node* list = root_.child(name);
    if (!list) return;
    if (list->is_group()) group(*list, Scope::Database);
    for (Node& element : list->children)
      if (list->is_sequence() && element.is_group()) group(element, Scope::Database);
  }

  // 2.4: imap_id_send { name = x }.
  void capability_group() {
    Node* send = root_.child("imap_id_send");
    if (!send || !send->is_group()) return;
    std::string text;
    for (const Node& child : send->children)
      text += fmt::format("{}{} {}", text.empty() ? "" : " ", child.name, child.text);
    const Node value = text_node("imap_id_send", text, *send);
    problems_.warning(*send, "is an older form; write " + line_of(value));
    remove_child(root_, "imap_id_send");
    adopt(root_, value);
  }

  static std::string_view present_protocol(std::string_view word) {
    static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
        {"managesieve", "sieve"}, {"submissions", "submission"}, {"imaps", "imap"}, {"pop3s", "pop3"}};
    for (const auto& [old, present] : kWords)
      if (iequals(word, old)) return present;
    return {};
  }

  void protocol_word(const Node& at, std::string& word) {
    const std::string_view present = present_protocol(word);
    if (present.empty()) return;
    problems_.warning(at, fmt::format("\"{}\" is an older name; write \"{}\"", word, present));
    word = present;
  }

  void protocol_words() {
    Node* node = root_.child("protocols");
    if (!node) return;
    for (Node& child : node->children)
      if (child.kind == Node::Kind::Text) protocol_word(*node, child.text);
    if (node->kind != Node::Kind::Text) return;
    std::string text;
    for (std::string_view part : split_words(node->text, " \t,")) {
      std::string word(part);
      protocol_word(*node, word);
      text += (text.empty() ? "" : " ") + word;
    }
    node->text = text;
  }

  void rename_protocol_blocks(Node& protocols) {
    for (Node& block : protocols.children) {
      const std::string_view present = present_protocol(block.name);
      if (present.empty() || protocols.child(present)) continue;
      problems_.warning(block, fmt::format("is an older name; write protocol: {{ {}: {{ ... }}; }};", present));
      block.name = present;
      set_paths(block, protocols.path);
    }
  }

  Node& root_;
  Problems& problems_;
  std::vector<Node> pending_;  // for the top, once nobody walks over it
};

}  // namespace

void replace_older_names(Node& root, Problems& problems) { Replacer(root, problems).run(); }

}  // namespace postern
