#include "conf/render.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "conf/blocks.h"
#include "conf/build.h"
#include "conf/row.h"
#include "conf/services.h"
#include "conf/values.h"

namespace postern {
namespace {

constexpr std::string_view kHidden = "\"<hidden>\"";

// A tree of libconfig text.
struct Item {
  enum class Kind : uint8_t { Value, Group, List };
  Kind kind = Kind::Group;
  std::string name;
  std::string text;  // of a Value
  std::vector<Item> children;

  Item& add(Kind what, std::string_view called) {
    return children.emplace_back(Item{what, std::string(called), "", {}});
  }
  void value(std::string_view called, std::string_view shown) {
    children.push_back(Item{Kind::Value, std::string(called), std::string(shown), {}});
  }
  // The group or list of that name, made when missing.
  Item& at(Kind what, std::string_view called) {
    for (Item& child : children)
      if (child.name == called) return child;
    return add(what, called);
  }
};

void print(const Item& item, size_t depth, std::string& out);

void print_children(const Item& item, size_t depth, std::string& out) {
  for (const Item& child : item.children) print(child, depth, out);
}

void print_list(const Item& item, size_t depth, std::string& out) {
  const std::string pad(2 * depth, ' ');
  out += fmt::format("{}{} = (\n", pad, item.name);
  for (const Item& child : item.children) {
    out += pad + "  {\n";
    print_children(child, depth + 2, out);
    out += pad + (&child == &item.children.back() ? "  }\n" : "  },\n");
  }
  out += pad + ");\n";
}

void print(const Item& item, size_t depth, std::string& out) {
  const std::string pad(2 * depth, ' ');
  if (item.kind == Item::Kind::List) return print_list(item, depth, out);
  if (item.kind == Item::Kind::Value) {
    out += fmt::format("{}{} = {};\n", pad, item.name, item.text);
    return;
  }
  out += fmt::format("{}{}: {{\n", pad, item.name);
  print_children(item, depth + 1, out);
  out += pad + "};\n";
}

bool is_secret_field(std::string_view name) {
  if (name == "nopassword") return false;
  for (std::string_view end : {"password", "pass", "token", "secret"})
    if (name.ends_with(end)) return true;
  return false;
}

class Dump {
 public:
  Dump(const Configuration& configuration, bool all, bool show_secrets)
      : c_(configuration), all_(all), show_(show_secrets) {}

  std::string run() {
    settings();
    services();
    databases("passdb", c_.passdbs, passdb_keys());
    databases("userdb", c_.userdbs, userdb_keys());
    overrides();
    std::string out;
    if (!c_.file.empty()) out = "# " + printable(c_.file) + "\n";
    print_children(root_, 0, out);
    return out;
  }

 private:
  std::string shown(const Row& row, const SettingValue& value) const {
    const auto* text = std::get_if<std::string>(&value);
    if (!show_ && (row.flags & kSecret) && text && text->starts_with("-----BEGIN")) return std::string(kHidden);
    return value_text(row, value);
  }

  void settings() {
    const Settings defaults;
    for (const Row& row : setting_rows()) {
      const Key key = find_setting(row.name);
      if (all_ || c_.settings.value(key) != defaults.value(key))
        root_.value(row.name, shown(row, c_.settings.value(key)));
    }
  }

  // The keys in which `block` differs from `stock`, or all; `skip` is not printed.
  template <class Block>
  void keys(Item& out, std::span<const BlockKey<Block>> table, const Block& block, const Block& stock,
            std::string_view skip = {}) const {
    for (const BlockKey<Block>& key : table)
      if (key.row.name != skip && (all_ || get_value(block, key) != get_value(stock, key)))
        out.value(key.row.name, shown(key.row, get_value(block, key)));
  }

  void services() {
    Item services{Item::Kind::Group, "service", "", {}};
    for (const ServiceSettings& service : c_.services) {
      const ServiceRow* row = find_service(service.name);
      if (!row) continue;
      Item item{Item::Kind::Group, service.name, "", {}};
      one_service(item, *row, service);
      if (!item.children.empty()) services.children.push_back(std::move(item));
    }
    if (!services.children.empty()) root_.children.push_back(std::move(services));
  }

  void one_service(Item& item, const ServiceRow& row, const ServiceSettings& service) const {
    ServiceSettings stock = default_service(row, c_.settings);
    ServiceSettings derived = service;
    settle_service(row, c_.settings, false, derived);
    stock.vsz_limit = derived.vsz_limit;
    keys(item, service_keys(), service, stock);
    Item inet{Item::Kind::Group, "inet_listener", "", {}};
    for (const InetListener& listener : service.inet_listeners) inet_listener(inet, listener, stock);
    if (!inet.children.empty()) item.children.push_back(std::move(inet));
    Item sockets{Item::Kind::List, "unix_listener", "", {}};
    for (const UnixListener& listener : service.unix_listeners) unix_listener(sockets, listener, stock);
    if (!sockets.children.empty()) item.children.push_back(std::move(sockets));
  }

  void inet_listener(Item& out, const InetListener& listener, const ServiceSettings& stock) const {
    InetListener base;
    bool is_new = true;
    for (const InetListener& l : stock.inet_listeners) {
      if (l.name != listener.name) continue;
      base = l;
      is_new = false;
    }
    Item item{Item::Kind::Group, listener.name, "", {}};
    keys(item, inet_listener_keys(), listener, base);
    if (is_new || !item.children.empty()) out.children.push_back(std::move(item));
  }

  void unix_listener(Item& out, const UnixListener& listener, const ServiceSettings& stock) const {
    UnixListener base;
    for (const UnixListener& l : stock.unix_listeners)
      if (l.path == listener.path) base = l;
    const auto same = base.fields() == const_cast<UnixListener&>(listener).fields();
    if (same && !all_) return;
    base.path.clear();  // is what it is known by
    keys(out.add(Item::Kind::Group, ""), unix_listener_keys(), listener, base);
  }

  // --- databases ---------------------------------------------------------------------

  bool hides(const FieldList& fields) const {
    return !show_ && std::any_of(fields.begin(), fields.end(), [](const auto& f) { return is_secret_field(f.first); });
  }

  FieldList without_secrets(FieldList fields) const {
    for (auto& [name, value] : fields)
      if (!show_ && is_secret_field(name)) value = "<hidden>";
    return fields;
  }

  void databases(std::string_view name, const std::vector<DatabaseSettings>& blocks,
                 std::span<const BlockKey<DatabaseSettings>> table) {
    if (blocks.empty()) return;
    Item& list = root_.add(Item::Kind::List, name);
    for (size_t i = 0; i < blocks.size(); ++i)
      database(list.add(Item::Kind::Group, ""), blocks[i], fmt::format("{} {}", name, i + 1), table);
  }

  void database(Item& item, DatabaseSettings block, const std::string& stock_name,
                std::span<const BlockKey<DatabaseSettings>> table) const {
    if (block.name == stock_name) block.name.clear();
    block.default_fields = without_secrets(std::move(block.default_fields));
    block.override_fields = without_secrets(std::move(block.override_fields));
    const bool from_args = !block.args.empty();
    if (from_args && hides(block.driver_fields)) block.args = fields_text(without_secrets(block.driver_fields));
    keys(item, table, block, DatabaseSettings{}, from_args ? "" : "args");
    if (from_args) return;  // the same is in the arguments, or in the file they name
    for (const auto& [key, value] : block.driver_settings)
      item.value(key,
                 !show_ && (is_secret_name(key) || has_url_password(value)) ? std::string(kHidden) : quoted(value));
    if (!block.driver_fields.empty())
      fields(item.add(Item::Kind::Group, "fields"), without_secrets(block.driver_fields));
  }

  static void fields(Item& group, const FieldList& list) {
    for (const auto& [name, value] : list) group.value(name, value.empty() ? "true" : quoted(value));
  }

  // --- overrides ---------------------------------------------------------------------

  void overrides() {
    for (const SettingsOverride& o : c_.overrides) {
      Item* at = &root_;
      for (const std::string& kind : o.nesting) at = &nested(*at, kind, o);
      for (const auto& [key, value] : o.values) {
        const Row& row = row_of(static_cast<Key>(key));
        at->value(row.name, shown(row, value));
      }
    }
  }

  static Item& nested(Item& at, const std::string& kind, const SettingsOverride& o) {
    if (kind == "protocol") return at.at(Item::Kind::Group, kind).at(Item::Kind::Group, o.protocol);
    Item& element = at.at(Item::Kind::List, kind).add(Item::Kind::Group, "");
    if (kind == "local") condition(element, "address", networks(o.local));
    if (kind == "remote") condition(element, "network", networks(o.remote));
    if (kind == "local_name") condition(element, "name", o.local_names);
    return element;
  }

  static std::vector<std::string> networks(const std::vector<Network>& list) {
    std::vector<std::string> out;
    for (const Network& n : list) {
      const bool one = n.bits == n.base.bytes().size() * 8;
      out.push_back(one ? n.base.text() : fmt::format("{}/{}", n.base.text(), n.bits));
    }
    return out;
  }

  static void condition(Item& item, std::string_view name, const std::vector<std::string>& values) {
    const Row row{name, RowType::List, "", {}, 0, 0, "", {}};
    item.value(name, value_text(row, SettingValue(values)));
  }

  const Configuration& c_;
  const bool all_, show_;
  Item root_;
};

}  // namespace

std::string render_configuration(const Configuration& configuration, bool all, bool show_secrets) {
  return Dump(configuration, all, show_secrets).run();
}

}  // namespace postern
