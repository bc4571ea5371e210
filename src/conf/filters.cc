// Reads the filter blocks: protocol, local, local_name, remote, and one inside another.
#include <algorithm>
#include <tuple>
#include <utility>

#include "conf/build.h"

namespace postern {
namespace {

constexpr size_t kMaxOverrides = 60000;  // indices are 16 bits wide

// A block with what it inherits from the blocks around it, and what it is sorted by.
struct Draft {
  SettingsOverride conditions;
  std::vector<int> kinds;        // innermost first
  std::vector<int> specificity;  // the same: longer networks and exact names win
};

class FilterReader {
 public:
  explicit FilterReader(Problems& problems) : problems_(problems) {}

  void blocks(const Node& group, const Draft& outer);
  std::vector<SettingsOverride> sorted();

  struct Kind {
    std::string_view name;
    void (FilterReader::*read)(const Node&, const Draft&);
  };
  static const Kind kKinds[4];

 private:
  void protocols(const Node& node, const Draft& outer);
  void locals(const Node& node, const Draft& outer);
  void names(const Node& node, const Draft& outer);
  void remotes(const Node& node, const Draft& outer);

  void networks(const Node& node, const Draft& outer, std::string_view key,
                std::vector<Network> SettingsOverride::*where);
  void finish(const Node& group, std::string_view key, Draft draft);
  void value(const Node& child, Draft& draft);
  Result<SettingValue> condition(const Node& group, std::string_view key, RowType type);

  Problems& problems_;
  std::vector<Draft> drafts_;
};

// In the order of precedence: later ones win.
const FilterReader::Kind FilterReader::kKinds[4] = {
    {"protocol", &FilterReader::protocols},
    {"local", &FilterReader::locals},
    {"local_name", &FilterReader::names},
    {"remote", &FilterReader::remotes},
};

void FilterReader::blocks(const Node& group, const Draft& outer) {
  for (const Node& child : group.children) {
    int number = 0;
    for (const Kind& kind : kKinds) {
      if (child.name == kind.name) {
        Draft inner = outer;
        inner.kinds.insert(inner.kinds.begin(), number);
        inner.specificity.insert(inner.specificity.begin(), 0);
        inner.conditions.nesting.emplace_back(kind.name);
        inner.conditions.values.clear();
        (this->*kind.read)(child, inner);
      }
      ++number;
    }
  }
}

void FilterReader::protocols(const Node& node, const Draft& outer) {
  if (!expect_group(node, problems_)) return;
  const auto words = split_words(kProtocolWords);
  for (const Node& child : node.children) {
    if (std::find(words.begin(), words.end(), child.name) == words.end()) {
      unknown_name(child, words, problems_);
      continue;
    }
    if (!expect_group(child, problems_)) continue;
    Draft draft = outer;
    const std::string& around = outer.conditions.protocol;
    if (!around.empty() && around != child.name) problems_.error(child, "can never hold inside protocol." + around);
    draft.conditions.protocol = child.name;
    finish(child, "", std::move(draft));
  }
}

Result<SettingValue> FilterReader::condition(const Node& group, std::string_view key, RowType type) {
  const Row row{key, type, "", {}, 0, 0, "", {}};
  const Node* node = group.child(key);
  if (!node) {
    problems_.error(group, fmt::format("needs {} = ...", key));
    return Error("");
  }
  Result<SettingValue> value = parse_value(row, *node);
  if (!value) problems_.error(*node, value.error());
  else if (std::get<std::vector<std::string>>(*value).empty()) problems_.error(*node, "is empty");
  return value;
}

void FilterReader::networks(const Node& node, const Draft& outer, std::string_view key,
                            std::vector<Network> SettingsOverride::*where) {
  for (const Node* group : group_elements(node, problems_)) {
    const Result<SettingValue> value = condition(*group, key, RowType::Networks);
    if (!value) continue;
    Draft draft = outer;
    int& shortest = draft.specificity.front() = 128;
    auto& networks = draft.conditions.*where;
    if (!networks.empty()) problems_.error(*group, "stands inside a block of its own kind");
    for (const std::string& text : std::get<std::vector<std::string>>(*value)) {
      const auto network = Network::parse(text);
      networks.push_back(*network);
      shortest = std::min<int>(shortest, network->bits);
    }
    finish(*group, key, std::move(draft));
  }
}

void FilterReader::locals(const Node& node, const Draft& outer) {
  networks(node, outer, "address", &SettingsOverride::local);
}

void FilterReader::remotes(const Node& node, const Draft& outer) {
  networks(node, outer, "network", &SettingsOverride::remote);
}

// A block with exact names and wildcards is two: exact ones win.
void FilterReader::names(const Node& node, const Draft& outer) {
  for (const Node* group : group_elements(node, problems_)) {
    const Result<SettingValue> value = condition(*group, "name", RowType::List);
    if (!value) continue;
    if (!outer.conditions.local_names.empty()) problems_.error(*group, "stands inside a block of its own kind");
    Draft wild = outer, exact = outer;
    exact.specificity.front() = 1;
    for (const std::string& name : std::get<std::vector<std::string>>(*value)) {
      const bool star = name.starts_with("*.");
      if (name.find('*', star ? 1 : 0) != std::string::npos)
        problems_.error(*group,
                        fmt::format("name \"{}\" has a * elsewhere than in front of a domain", printable(name)));
      (star ? wild : exact).conditions.local_names.push_back(to_lower(name));
    }
    const size_t errors = problems_.errors.size();
    if (!wild.conditions.local_names.empty()) finish(*group, "name", std::move(wild));
    // Errors of the group have been told once.
    if (!exact.conditions.local_names.empty() && errors == problems_.errors.size())
      finish(*group, "name", std::move(exact));
  }
}

void FilterReader::value(const Node& child, Draft& draft) {
  const Key key = find_setting(child.name);
  if (key == Key::kCount) {
    std::vector<std::string_view> known;
    for (const Row& row : setting_rows())
      if (row.flags & kOverridable) known.push_back(row.name);
    return unknown_name(child, known, problems_);
  }
  if (!(row_of(key).flags & kOverridable))
    return problems_.error(child, "cannot be overridden; accepted: at the top of the file only");
  read_setting(child, key, draft.conditions.values, problems_);
}

void FilterReader::finish(const Node& group, std::string_view key, Draft draft) {
  for (const Node& child : group.children)
    if (child.name != key && !is_filter_name(child.name)) value(child, draft);
  if (drafts_.size() >= kMaxOverrides) return problems_.error(group, "is one filter block too many");
  if (!draft.conditions.values.empty()) drafts_.push_back(draft);
  blocks(group, draft);
}

std::vector<SettingsOverride> FilterReader::sorted() {
  std::stable_sort(drafts_.begin(), drafts_.end(), [](const Draft& a, const Draft& b) {
    const size_t depth_a = a.kinds.size(), depth_b = b.kinds.size();
    return std::tie(depth_a, a.kinds, a.specificity) < std::tie(depth_b, b.kinds, b.specificity);
  });
  std::vector<SettingsOverride> out;
  for (Draft& draft : drafts_) out.push_back(std::move(draft.conditions));
  return out;
}

}  // namespace

bool is_filter_name(std::string_view name) {
  return std::any_of(std::begin(FilterReader::kKinds), std::end(FilterReader::kKinds),
                     [name](const auto& kind) { return kind.name == name; });
}

std::vector<SettingsOverride> read_overrides(const Node& root, Problems& problems) {
  FilterReader reader(problems);
  reader.blocks(root, Draft{});
  return reader.sorted();
}

}  // namespace postern
