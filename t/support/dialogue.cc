#include "support/dialogue.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <ostream>

#include "base/base64.h"
#include "base/text.h"

namespace postern::test {

namespace {

namespace fs = std::filesystem;

// --- escapes ------------------------------------------------------------------

int hex_value(char c) {
  const size_t at = std::string_view("0123456789abcdef").find(ascii_lower(c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// Position of the brace that closes the one before `at`.
size_t closing_brace(std::string_view text, size_t at) {
  for (int depth = 1; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return at;
  }
  return std::string_view::npos;
}

std::string repeated(std::string_view inner, std::string& error) {
  const size_t star = inner.find('*');
  const auto count = parse_number(inner.substr(0, star), 100000);
  if (star == std::string_view::npos || !count) {
    error = "\\{N*text} expected";
    return {};
  }
  const std::string once = unescape(inner.substr(star + 1), error);
  std::string out;
  for (uint64_t i = 0; i < *count; ++i) out += once;
  return out;
}

// Reads the escape behind the backslash at `at`; leaves `at` on its last character.
std::string one_escape(std::string_view text, size_t& at, std::string& error) {
  static const std::map<char, std::string> kSimple{
      {'r', "\r"}, {'n', "\n"}, {'t', "\t"}, {'0', std::string(1, '\0')}, {'s', " "}, {'\\', "\\"},
  };
  const char c = ++at < text.size() ? text[at] : '\0';
  if (const auto simple = kSimple.find(c); simple != kSimple.end()) return simple->second;
  if (c == 'x' && at + 2 < text.size() && hex_value(text[at + 1]) >= 0 && hex_value(text[at + 2]) >= 0) {
    at += 2;
    return std::string(1, static_cast<char>(hex_value(text[at - 1]) * 16 + hex_value(text[at])));
  }
  const bool base64 = text.substr(at).starts_with("b{");
  const size_t open = at + (base64 ? 2 : 1);
  const size_t close = base64 || c == '{' ? closing_brace(text, open) : std::string_view::npos;
  if (close == std::string_view::npos) {
    error = "unknown escape in: " + std::string(text);
    return {};
  }
  at = close;
  const std::string_view inner = text.substr(open, close - open);
  return base64 ? base64_encode(unescape(inner, error)) : repeated(inner, error);
}

// --- settings -----------------------------------------------------------------

bool is_yes(std::string_view value) { return value != "no"; }
size_t number(std::string_view value) { return parse_number(value).value_or(0); }

Endpoint endpoint(std::string_view value) {
  const size_t colon = value.rfind(':');
  const auto ip = IpAddress::parse(value.substr(0, colon));
  return {ip.value_or(IpAddress()), static_cast<uint16_t>(number(value.substr(colon + 1)))};
}

MechanismNeed need_of(std::string_view word) {
  if (word.ends_with('#')) return MechanismNeed::ChannelBinding;
  return word.ends_with('=') ? MechanismNeed::Certificate : MechanismNeed::Nothing;
}

// "PLAIN+ CRAM-MD5 APOP! EXTERNAL= SCRAM-SHA-1-PLUS#": + sends the password itself, ! is never listed, = needs a
// certificate, # channel binding.
std::vector<FrontSettings::Mechanism> mechanisms(std::string_view value) {
  std::vector<FrontSettings::Mechanism> out;
  for (std::string_view word : split_words(value)) {
    const size_t end = word.find_first_of("+!=#");
    out.push_back({std::string(word.substr(0, end)), word.find('+') != std::string_view::npos,
                   word.find('!') != std::string_view::npos, need_of(word)});
  }
  return out;
}

std::vector<std::string> words(std::string_view value) {
  const auto views = split_words(value);
  return {views.begin(), views.end()};
}

using SetKey = void (*)(Dialogue&, const std::string&);

const std::map<std::string_view, SetKey> kFrontKeys{
    {"greeting", [](Dialogue& d, const std::string& v) { d.settings.greeting = v; }},
    {"hostname", [](Dialogue& d, const std::string& v) { d.settings.hostname = v; }},
    {"extensions", [](Dialogue& d, const std::string& v) { d.settings.extensions = words(v); }},
    {"max_mail_size", [](Dialogue& d, const std::string& v) { d.settings.max_mail_size = number(v); }},
    {"capability", [](Dialogue& d, const std::string& v) { d.settings.capability = v; }},
    {"literal_minus", [](Dialogue& d, const std::string& v) { d.settings.literal_minus = is_yes(v); }},
    {"id_send", [](Dialogue& d, const std::string& v) { d.settings.id_send = v; }},
    {"id_log", [](Dialogue& d, const std::string& v) { d.settings.id_log = v; }},
    {"id_retain", [](Dialogue& d, const std::string& v) { d.settings.id_retain = is_yes(v); }},
    {"allow_plaintext", [](Dialogue& d, const std::string& v) { d.settings.allow_plaintext = is_yes(v); }},
    {"tls_required", [](Dialogue& d, const std::string& v) { d.settings.tls_required = is_yes(v); }},
    {"product", [](Dialogue& d, const std::string& v) { d.settings.product = v; }},
    {"version", [](Dialogue& d, const std::string& v) { d.settings.version = v; }},
    {"mechanisms", [](Dialogue& d, const std::string& v) { d.settings.mechanisms = mechanisms(v); }},
    {"stamp", [](Dialogue& d, const std::string& v) { d.facts.stamp = v, d.settings.wants_stamp = true; }},
    {"binds", [](Dialogue& d, const std::string& v) { d.facts.binds = is_yes(v); }},
    {"certificate", [](Dialogue& d, const std::string& v) { d.facts.certificate = is_yes(v); }},
    {"max_line", [](Dialogue& d, const std::string& v) { d.settings.max_line = number(v); }},
    {"max_literal", [](Dialogue& d, const std::string& v) { d.settings.max_literal = number(v); }},
    {"max_sasl", [](Dialogue& d, const std::string& v) { d.settings.max_sasl = number(v); }},
    {"max_token", [](Dialogue& d, const std::string& v) { d.settings.max_token = number(v); }},
    {"max_bad_commands", [](Dialogue& d, const std::string& v) { d.settings.max_bad_commands = number(v); }},
    {"max_id_pairs", [](Dialogue& d, const std::string& v) { d.settings.max_id_pairs = number(v); }},
    {"max_tag", [](Dialogue& d, const std::string& v) { d.settings.max_tag = number(v); }},
    {"sieve_implementation", [](Dialogue& d, const std::string& v) { d.settings.sieve.implementation = v; }},
    {"sieve_extensions", [](Dialogue& d, const std::string& v) { d.settings.sieve.extensions = v; }},
    {"sieve_notify", [](Dialogue& d, const std::string& v) { d.settings.sieve.notify = v; }},
    {"sieve_extlists", [](Dialogue& d, const std::string& v) { d.settings.sieve.extlists = v; }},
    {"max_retained", [](Dialogue& d, const std::string& v) { d.settings.max_retained = number(v); }},
    {"tls_available", [](Dialogue& d, const std::string& v) { d.facts.tls_available = is_yes(v); }},
    {"tls_active", [](Dialogue& d, const std::string& v) { d.facts.tls_active = is_yes(v); }},
    {"secured", [](Dialogue& d, const std::string& v) { d.facts.secured = is_yes(v); }},
    {"trusted", [](Dialogue& d, const std::string& v) { d.facts.trusted = is_yes(v); }},
    // of delivery protocols
    {"recipient_delimiter", [](Dialogue& d, const std::string& v) { d.settings.delivery.recipient_delimiter = v; }},
    {"max_recipients",
     [](Dialogue& d, const std::string& v) { d.settings.delivery.max_recipients = static_cast<unsigned>(number(v)); }},
    {"whitespace_before_path",
     [](Dialogue& d, const std::string& v) { d.settings.delivery.whitespace_before_path = is_yes(v); }},
    {"mailbox_for_path", [](Dialogue& d, const std::string& v) { d.settings.delivery.mailbox_for_path = is_yes(v); }},
    {"add_received", [](Dialogue& d, const std::string& v) { d.settings.delivery.add_received = is_yes(v); }},
    {"address_header", [](Dialogue& d, const std::string& v) { d.settings.delivery.address_header = v; }},
    {"verbose_replies", [](Dialogue& d, const std::string& v) { d.settings.delivery.verbose_replies = is_yes(v); }},
    {"bodies", [](Dialogue& d, const std::string& v) { d.delivery.shows_bodies = is_yes(v); }},
};

void choose_backend(Dialogue& d, const std::string& name) {
  if (d.delivery.protocol == nullptr) return;
  for (const DeliveryBackend& backend : d.delivery.protocol->backends)
    if (backend.name == name) d.delivery.backend = &backend, d.steps = backend.side.steps;
}

void set_tls_use(Dialogue& d, const std::string& value) {
  d.plan.tls = value == "starttls" ? TlsUse::StartTls : value == "implicit" ? TlsUse::Implicit : TlsUse::None;
}

void add_forward(Dialogue& d, const std::string& value) {
  const size_t equals = std::min(value.find('='), value.size());
  d.plan.forward.forward.emplace_back(value.substr(0, equals), value.substr(std::min(equals + 1, value.size())));
}

void add_told(Dialogue& d, const std::string& value) {
  const size_t equals = std::min(value.find('='), value.size());
  set_fact(d.plan.from_front, value.substr(0, equals), value.substr(std::min(equals + 1, value.size())));
}

const std::map<std::string_view, SetKey> kBackKeys{
    {"user", [](Dialogue& d, const std::string& v) { d.plan.user = v; }},
    {"hostname", [](Dialogue& d, const std::string& v) { d.plan.hostname = v; }},
    {"authenticate", [](Dialogue& d, const std::string& v) { d.plan.authenticate = is_yes(v); }},
    {"login_name", [](Dialogue& d, const std::string& v) { d.plan.login_name = v; }},
    {"told", add_told},  // NAME=VALUE, may repeat: Front::told_to_back()
    {"local_name", [](Dialogue& d, const std::string& v) { d.plan.forward.local_name = v; }},
    {"master", [](Dialogue& d, const std::string& v) { d.plan.master = v; }},
    {"password", [](Dialogue& d, const std::string& v) { d.plan.password = SecretString(v); }},
    {"mechanism", [](Dialogue& d, const std::string& v) { d.plan.mechanism = v; }},
    {"tls", set_tls_use},  // none, implicit, starttls
    {"pipelining", [](Dialogue& d, const std::string& v) { d.plan.pipelining = is_yes(v); }},
    {"trusted", [](Dialogue& d, const std::string& v) { d.plan.trusted = is_yes(v); }},
    {"asked_capabilities", [](Dialogue& d, const std::string& v) { d.plan.client_asked_capabilities = is_yes(v); }},
    {"session", [](Dialogue& d, const std::string& v) { d.plan.forward.session = v; }},
    {"remote", [](Dialogue& d, const std::string& v) { d.plan.forward.remote = endpoint(v); }},
    {"local", [](Dialogue& d, const std::string& v) { d.plan.forward.local = endpoint(v); }},
    {"ttl", [](Dialogue& d, const std::string& v) { d.plan.forward.ttl = static_cast<uint32_t>(number(v)); }},
    {"forward", add_forward},  // NAME=VALUE, may repeat
    {"client_id", [](Dialogue& d, const std::string& v) { d.plan.forward.client_id = v; }},
    {"max_line", [](Dialogue& d, const std::string& v) { d.limits.line = number(v); }},
    {"max_lines", [](Dialogue& d, const std::string& v) { d.limits.lines = static_cast<unsigned>(number(v)); }},
    {"backend", choose_backend},  // of a delivery protocol, by name
};

const std::map<std::string_view, SetKey> kDeliveryBackKeys{
    {"backend", choose_backend},
    {"can",
     [](Dialogue& d, const std::string& v) { (d.delivery.capabilities += v) += '\n'; }},  // a capability, may repeat
    {"mail", [](Dialogue& d, const std::string& v) { d.delivery.mail = v; }},
    {"sender", [](Dialogue& d, const std::string& v) { d.delivery.envelope.sender = v; }},
    {"body", [](Dialogue& d, const std::string& v) { d.delivery.envelope.body = v; }},
    {"size", [](Dialogue& d, const std::string& v) { d.delivery.envelope.size = number(v); }},
    {"utf8", [](Dialogue& d, const std::string& v) { d.delivery.envelope.utf8 = is_yes(v); }},
    {"ret", [](Dialogue& d, const std::string& v) { d.delivery.envelope.ret = v; }},
    {"envid", [](Dialogue& d, const std::string& v) { d.delivery.envelope.envid = v; }},
};

// What may stand behind ===, and the settings of each kind.
struct KindRow {
  std::string_view word;
  DialogueKind kind;
  const std::map<std::string_view, SetKey>& keys;
};
const KindRow kKinds[] = {
    {"front", DialogueKind::Front, kFrontKeys},
    {"back", DialogueKind::Back, kBackKeys},
    {"delivery-front", DialogueKind::DeliveryFront, kFrontKeys},
    {"delivery-back", DialogueKind::DeliveryBack, kDeliveryBackKeys},
};

// --- files --------------------------------------------------------------------

class FileParser {
 public:
  FileParser(const fs::path& path, Dialogue pattern) : path_(path), pattern_(std::move(pattern)) {
    pattern_.settings.mechanisms = mechanisms("PLAIN+ LOGIN+");
  }

  std::vector<Dialogue> parse() {
    std::ifstream in(path_);
    if (!in) return {failed("cannot be read")};
    for (std::string line; std::getline(in, line);) {
      ++number_;
      if (!line.empty() && line[0] != '#') take(line);
    }
    if (out_.empty()) return {failed("has no dialogue")};
    return std::move(out_);
  }

 private:
  void take(const std::string& line) {
    if (line.starts_with("=== ")) return begin(line.substr(4));
    if (!out_.empty() && is_script_line(line)) return take_script_line(line);
    if (!out_.empty() && !out_.back().lines.empty()) return complain("neither a setting nor a line of the dialogue");
    file_settings_.push_back(line);
    if (!out_.empty()) {
      apply(out_.back(), line);
      file_settings_.pop_back();
    }
  }

  static bool is_script_line(const std::string& line) {
    if (line.size() < 2) return false;
    const bool peer = std::string_view("CSBPM").find(line[0]) != std::string_view::npos;
    if (peer) return line[1] == ':' || line[1] == '-';
    return std::string_view("!=?").find(line[0]) != std::string_view::npos && line[1] == ' ';
  }

  void begin(const std::string& head) {
    const size_t blank = std::min(head.find(' '), head.size());
    out_.push_back(pattern_);
    Dialogue& dialogue = out_.back();
    const auto row = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const KindRow& r) { return r.word == head.substr(0, blank); });
    if (row != std::end(kKinds)) dialogue.kind = row->kind;
    dialogue.title = head.substr(std::min(blank + 1, head.size()));
    dialogue.where = place();
    if (row == std::end(kKinds)) complain("a kind of dialogue expected behind ===");
    if (dialogue.is_delivery() && dialogue.delivery.protocol == nullptr) complain("no delivery protocol");
    for (const std::string& line : file_settings_) apply(dialogue, line);
  }

  void take_script_line(const std::string& line) {
    const size_t text_at = line.size() > 2 && line[2] == ' ' && line[0] >= 'A' && line[0] <= 'Z' ? 3 : 2;
    std::string error;
    DialogueLine parsed{line[0], line[1] != '-', unescape(std::string_view(line).substr(text_at), error), number_};
    if (!error.empty()) complain(error);
    out_.back().lines.push_back(std::move(parsed));
  }

  // A file may set keys of all kinds; a dialogue takes those of its own.
  void apply(Dialogue& dialogue, const std::string& line) {
    const size_t blank = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, blank);
    const auto& mine = kKinds[static_cast<size_t>(dialogue.kind)].keys;
    const auto found = mine.find(name);
    const bool known =
        std::any_of(std::begin(kKinds), std::end(kKinds), [&](const KindRow& r) { return r.keys.contains(name); });
    if (!known) return complain("unknown setting: " + name);
    std::string error;
    const std::string value = unescape(line.substr(std::min(blank + 1, line.size())), error);
    if (!error.empty()) complain(error);
    if (found != mine.end()) found->second(dialogue, value);
  }

  std::string place() const {
    return path_.parent_path().filename().string() + "/" + path_.filename().string() + ":" + std::to_string(number_);
  }
  void complain(const std::string& what) {
    if (!out_.empty() && out_.back().error.empty()) out_.back().error = place() + ": " + what;
  }
  Dialogue failed(const std::string& what) const {
    Dialogue dialogue;
    dialogue.title = "file";
    dialogue.where = place();
    dialogue.error = path_.string() + ": " + what;
    return dialogue;
  }

  fs::path path_;
  Dialogue pattern_;
  std::vector<std::string> file_settings_;
  std::vector<Dialogue> out_;
  int number_ = 0;
};

fs::path dialogue_folder() {
  const char* given = ::getenv("DIALOGUE_DIR");
  return given != nullptr ? given : DIALOGUE_DIR;
}

}  // namespace

std::string unescape(std::string_view text, std::string& error) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') out += text[at];
    else out += one_escape(text, at, error);
  }
  return out;
}

namespace {

std::vector<Dialogue> load(const std::string& folder, const Dialogue& pattern) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dialogue_folder() / folder, error))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  if (files.empty()) files.push_back(dialogue_folder() / folder / "missing.txt");
  std::sort(files.begin(), files.end());
  std::vector<Dialogue> out;
  for (const fs::path& file : files)
    for (Dialogue& dialogue : FileParser(file, pattern).parse()) out.push_back(std::move(dialogue));
  return out;
}

}  // namespace

std::vector<Dialogue> load_dialogues(const std::string& folder, const Protocol& protocol) {
  Dialogue pattern;
  pattern.protocol = &protocol;
  pattern.steps = protocol.back.steps;
  return load(folder, pattern);
}

std::vector<Dialogue> load_dialogues(const std::string& folder, const DeliveryProtocol& protocol) {
  Dialogue pattern;
  pattern.delivery.protocol = &protocol;
  choose_backend(pattern, std::string(protocol.backends.front().name));
  return load(folder, pattern);
}

std::string dialogue_name(const testing::TestParamInfo<Dialogue>& info) {
  std::string name;
  for (char c : info.param.where.substr(0, info.param.where.find('.')) + "_" + info.param.title) {
    const bool word = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
    if (word) name += c;
    else if (!name.empty() && name.back() != '_') name += '_';
  }
  return name + "_" + std::to_string(info.index);
}

void PrintTo(const Dialogue& dialogue, std::ostream* out) { *out << dialogue.where << ": " << dialogue.title; }

}  // namespace postern::test
