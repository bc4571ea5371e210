#include "conf/reader.h"

#include <sys/stat.h>

#include <libconfig.h++>

#include <fmt/core.h>

#include "base/text.h"
#include "conf/build.h"
#include "conf/checks.h"
#include "conf/older_names.h"
#include "conf/tree.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POSTERN_LEAK_CHECKED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POSTERN_LEAK_CHECKED 1
#endif
#ifdef POSTERN_LEAK_CHECKED
#include <sanitizer/lsan_interface.h>
#endif

namespace postern {
namespace {

using libconfig::Setting;

// libconfig 1.5 loses its string buffer at a syntax error; leak checkers need not say so.
#ifdef POSTERN_LEAK_CHECKED
using LeaksIgnored = __lsan::ScopedDisabler;
#else
struct LeaksIgnored {
  ~LeaksIgnored() {}
};
#endif

void read_string(libconfig::Config& config, const std::string& text) {
  const LeaksIgnored ignored;
  config.readString(text);
}

Node::Kind kind_of(const Setting& setting) {
  switch (setting.getType()) {
    case Setting::TypeBoolean: return Node::Kind::Flag;
    case Setting::TypeInt:
    case Setting::TypeInt64: return Node::Kind::Integer;
    case Setting::TypeFloat: return Node::Kind::Real;
    case Setting::TypeString: return Node::Kind::Text;
    case Setting::TypeArray: return Node::Kind::Array;
    case Setting::TypeList: return Node::Kind::List;
    default: return Node::Kind::Group;
  }
}

void take_value(const Setting& setting, Node& node) {
  if (node.kind == Node::Kind::Flag) node.flag = setting;
  if (node.kind == Node::Kind::Real) node.real = setting;
  if (node.kind == Node::Kind::Text) node.text = static_cast<const char*>(setting);
  if (node.kind == Node::Kind::Integer)
    node.integer = setting.getType() == Setting::TypeInt ? static_cast<int>(setting) : static_cast<long long>(setting);
}

// libconfig calls the main file nothing, and an included one as its line does.
std::string file_of(const char* file, const std::string& main_name) {
  if (!file) return main_name;
  const std::string folder = folder_of(main_name);
  return *file == '/' || folder.empty() ? file : folder + "/" + file;
}

Node converted(const Setting& setting, const std::string& main_name) {
  Node node;
  const char* name = setting.isRoot() ? nullptr : setting.getName();
  node.name = name ? name : "";
  node.where = fmt::format("{}:{}", file_of(setting.getSourceFile(), main_name), setting.getSourceLine());
  node.kind = kind_of(setting);
  if (setting.isAggregate())
    for (int i = 0; i < setting.getLength(); ++i) node.children.push_back(converted(setting[i], main_name));
  else take_value(setting, node);
  return node;
}

// libconfig names the line of the token after the mistake, and hardly ever the mistake.
std::string syntax_text(const std::string& file, size_t line, std::string_view what, std::string_view text) {
  return fmt::format("{}:{}: {} in or before: {}; accepted: NAME = VALUE; with strings, times and yes/no in quotes",
                     file, line, what, printable(trim(text)));
}

std::optional<Node> parse(const std::string& text, const std::string& name, std::string& error,
                          const Sources* sources) {
  libconfig::Config config;
  try {
    const std::string folder = folder_of(name);
    if (!folder.empty()) config.setIncludeDir(folder.c_str());
    read_string(config, text);
    return converted(config.getRoot(), name);
  } catch (const libconfig::ParseException& e) {
    const std::string file = file_of(e.getFile(), name);
    const auto line = static_cast<size_t>(std::max(e.getLine(), 0));
    if (sources) error = syntax_text(file, line, e.getError(), sources->line(file, line));
  } catch (const std::exception& e) {
    error = fmt::format("{}: cannot be read: {}", name, e.what());
  }
  return std::nullopt;
}

// Passwords and keys are in the file; `mode` says whether anybody may read it.
bool has_secret(const Node& node) {
  if (node.kind == Node::Kind::Text && (is_secret_name(node.name) || has_url_password(node.text) ||
                                        node.text.find("PRIVATE KEY-----") != std::string::npos))
    return true;
  for (const Node& child : node.children)
    if (has_secret(child)) return true;
  return false;
}

void warn_of_open_file(const std::string& file, const Node& root, Problems& problems) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0 || !(status.st_mode & S_IROTH) || !has_secret(root)) return;
  problems.plain_warning(fmt::format("{}: holds passwords and can be read by everybody; chmod o-r {}", file, file));
}

LoadedConfiguration load(const std::string& text, const std::string& name, const std::vector<std::string>& assignments,
                         bool is_file) {
  Problems problems;
  LoadedConfiguration loaded;
  std::optional<Node> root = read_tree(text, name, problems);
  if (root) {
    if (is_file) warn_of_open_file(name, *root, problems);
    for (const std::string& assignment : assignments) assign(*root, assignment, problems);
    replace_older_names(*root, problems);
    loaded.configuration = build_configuration(*root, problems);
    check_configuration(loaded.configuration, *root, problems);
  }
  loaded.configuration.file = name;
  loaded.errors = std::move(problems.errors);
  loaded.warnings = std::move(problems.warnings);
  return loaded;
}

}  // namespace

std::optional<Node> read_tree(const std::string& text, const std::string& name, Problems& problems) {
  const Sources sources = scan_sources(text, name, problems);
  if (!sources.readable) return std::nullopt;
  std::string error;
  std::optional<Node> root = parse(text, name, error, &sources);
  if (!root) problems.plain_error(error);
  else set_paths(*root, "");
  return root;
}

std::optional<Node> read_value(const std::string& text) {
  if (!scan_text(text).includes.empty() || text.find('\0') != std::string::npos) return std::nullopt;
  std::string error;
  std::optional<Node> root = parse("value = " + text + ";", "-o", error, nullptr);
  if (!root || root->children.size() != 1) return std::nullopt;
  return std::move(root->children[0]);
}

LoadedConfiguration load_configuration(const std::string& file, const std::vector<std::string>& assignments) {
  const Result<std::string> text = read_text_file(file);
  if (text) return load(*text, file, assignments, true);
  LoadedConfiguration failed;
  failed.configuration.file = file;
  failed.errors.push_back(fmt::format("{}: cannot be read: {}", file, text.error()));
  return failed;
}

LoadedConfiguration load_configuration_text(const std::string& text, const std::string& name,
                                            const std::vector<std::string>& assignments) {
  return load(text, name, assignments, false);
}

Configuration slice_for(const Configuration& configuration, char role, std::string_view protocol) {
  const unsigned bit = role_bit(role);
  if (bit == kMaster) return configuration;
  Configuration slice;
  slice.file = configuration.file;
  const auto rows = setting_rows();
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].roles & bit) slice.settings.set(static_cast<Key>(i), configuration.settings.value(static_cast<Key>(i)));
  if (bit & (kAuth | kAuthWorker)) {
    slice.passdbs = configuration.passdbs;
    slice.userdbs = configuration.userdbs;
  }
  if (bit & kAuth)  // which local logins there are
    for (const ServiceSettings& service : configuration.services)
      if (service.enabled && serves_local_users(find_service(service.name)->kind)) slice.services.push_back(service);
  if (bit != kLogin) return slice;
  for (const ServiceSettings& service : configuration.services)
    if (service.protocol == protocol) slice.services.push_back(service);
  for (const SettingsOverride& override : configuration.overrides)
    if (override.protocol.empty() || override.protocol == protocol) slice.overrides.push_back(override);
  return slice;
}

}  // namespace postern
