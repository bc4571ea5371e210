// The sample file and the parts of postern.conf(5) that follow from the tables.
#include <fmt/core.h>

#include "base/text.h"
#include "conf/blocks.h"
#include "conf/render.h"
#include "conf/row.h"
#include "conf/services.h"
#include "conf/values.h"
#include "paths.h"

namespace postern {
namespace {

std::string default_text(const Row& row) {
  const Result<SettingValue> value = parse_value_text(row, row.def);
  return value ? value_text(row, *value) : quoted(row.def);
}

// `text` in lines of at most `width`, each behind `prefix`.
std::string wrapped(std::string_view text, size_t width, std::string_view prefix) {
  std::string out, line;
  for (std::string_view word : split_words(text)) {
    if (!line.empty() && prefix.size() + line.size() + 1 + word.size() > width) {
      out += fmt::format("{}{}\n", prefix, line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  return line.empty() ? out : out + fmt::format("{}{}\n", prefix, line);
}

// --- sample --------------------------------------------------------------------------

constexpr std::string_view kSampleHead =
    "# Postern's configuration, in libconfig syntax: see postern.conf(5). Every line below shows a default and is\n"
    "# commented out. `postern -t` checks this file, `postern -n` shows what differs from the defaults.\n"
    "# Strings, times (\"30 secs\"), sizes (\"64 M\") and the words \"yes\" and \"no\" stand in quotes.\n";

constexpr std::string_view kSampleTail = R"(
# --- Password databases, tried in order (postern.conf(5), PASSDB) ---

# All users go to one server, which checks the password:
#passdb = (
#  { driver = "static"; args = "proxy=y host=192.0.2.10 nopassword=y"; }
#);
# The database says where each user goes:
#passdb = (
#  { driver = "sql"; sql_driver = "sqlite"; sql_connect = "/etc/postern/users.db";
#    sql_password_query = "SELECT NULL AS password, 'Y' AS nopassword, host, 'Y' AS proxy FROM proxy WHERE user = '%u'"; }
#);
# Users whom the passdb leaves on this host (postern-userdb(5)); a service's executable is their program:
#userdb = ( { driver = "prefetch"; }, { driver = "static"; args = "uid=vmail gid=vmail home=/srv/mail/%d/%n"; } );

# --- Filters: protocol < local < local_name < remote ---

#protocol: { NAME: { login_greeting = "Hello."; }; };
#local = ( { address = "192.0.2.20"; ssl_cert = "/etc/postern/b.pem"; ssl_key = "/etc/postern/b.key"; } );
#local_name = ( { name = "mail.example.net"; ssl_cert = "/etc/postern/net.pem"; ssl_key = "/etc/postern/net.key"; } );
#remote = ( { network = "10.0.0.0/8"; disable_plaintext_auth = false; } );
)";

std::string sample_service(const ServiceRow& row) {
  const ServiceSettings service = stock_service(row, Settings());
  std::string out = fmt::format("#  {}: {{  # {}\n", row.name, row.doc);
  for (const auto& key : service_keys())
    if (key.row.name != "vsz_limit")
      out += fmt::format("#    {} = {};\n", key.row.name, value_text(key.row, get_value(service, key)));
  if (!service.inet_listeners.empty()) out += "#    inet_listener: {\n";
  for (const InetListener& l : service.inet_listeners)
    out += fmt::format("#      {}: {{ port = {}; ssl = {}; }};\n", l.name, l.port, l.ssl);
  if (!service.inet_listeners.empty()) out += "#    };\n";
  return out + "#  };\n";
}

// --- man page ------------------------------------------------------------------------

// Text safe anywhere in an mdoc line.
std::string mdoc(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '"') out += "\\(dq";
    else out += c;
  }
  return out;
}

// Sentences on lines of their own, wrapped; a line must not begin with a control character.
std::string mdoc_prose(std::string_view text) {
  std::string out;
  for (const std::string& line : {wrapped(mdoc(text), 78, "")})
    for (std::string_view part : split_fields(line, '\n'))
      if (!part.empty()) out += fmt::format("{}{}\n", part[0] == '.' || part[0] == '\'' ? "\\&" : "", part);
  return out;
}

std::string mdoc_row(const Row& row, bool show_default) {
  std::string out = fmt::format(".It Ic {}\n", row.name);
  out += mdoc_prose(row.doc);
  out += mdoc_prose(fmt::format("Accepted: {}.", accepted_text(row)));
  if (show_default) out += mdoc_prose(fmt::format("Default: {}.", row.def.empty() ? "empty" : default_text(row)));
  if (row.flags & kOverridable) out += "May stand in filter blocks.\n";
  if (row.flags & kLater) out += "Accepted, and without effect in this version.\n";
  return out;
}

template <class Block>
std::string mdoc_keys(std::span<const BlockKey<Block>> keys, bool show_default) {
  std::string out = ".Bl -tag -width Ds\n";
  for (const BlockKey<Block>& key : keys) out += mdoc_row(key.row, show_default && !key.row.def.empty());
  return out + ".El\n";
}

std::string listeners_text(const ServiceRow& row) {
  std::string out;
  for (const ServiceListener& l : row.listeners)
    if (l.port) out += fmt::format("{}{} {}{}", out.empty() ? "" : ", ", l.name, l.port, l.ssl ? " with TLS" : "");
  if (!row.unix_listener.empty())
    out +=
        fmt::format("{}the socket {} with mode {:04o}", out.empty() ? "" : ", ", row.unix_listener, kStockSocketMode);
  return out;
}

std::string mdoc_services() {
  std::string out = ".Bl -tag -width Ds\n";
  for (const ServiceRow& row : service_rows()) {
    out += fmt::format(".It Ic {}\n", row.name) + mdoc_prose(row.doc);
    const std::string listeners = listeners_text(row);
    if (!listeners.empty()) out += mdoc_prose(fmt::format("Listeners: {}.", listeners));
    if (!row.runs) out += "Accepted, and not started by this version.\n";
  }
  return out + ".El\n";
}

std::string replaced_line(std::string_view line) {
  struct Part {
    std::string_view word;
    std::string (*render)();
  };
  static constexpr Part kParts[] = {
      {"@SETTINGS@", render_man_settings},
      {"@SERVICES@", mdoc_services},
      {"@SERVICE_KEYS@", [] { return mdoc_keys(service_keys(), false); }},
      {"@LISTENER_KEYS@", [] { return mdoc_keys(inet_listener_keys(), true); }},
      {"@SOCKET_KEYS@", [] { return mdoc_keys(unix_listener_keys(), true); }},
      {"@PASSDB_KEYS@", [] { return mdoc_keys(passdb_keys(), true); }},
      {"@USERDB_KEYS@", [] { return mdoc_keys(userdb_keys(), true); }},
  };
  for (const Part& part : kParts)
    if (line == part.word) return part.render();
  static constexpr std::string_view kFolder = "@SYSCONFDIR@";
  const size_t at = line.find(kFolder);
  if (at == std::string_view::npos) return std::string(line) + "\n";
  return fmt::format("{}{}{}\n", line.substr(0, at), POSTERN_SYSCONFDIR, line.substr(at + kFolder.size()));
}

}  // namespace

std::string render_sample() {
  std::string out(kSampleHead);
  for (const Row& row : setting_rows()) {
    if (!row.section.empty()) out += fmt::format("\n# --- {} ---\n", row.section);
    out += "\n" + wrapped(row.doc, 110, "# ") + fmt::format("#{} = {};\n", row.name, default_text(row));
  }
  out += "\n# --- Services ---\n\n#service: {\n";
  for (const ServiceRow& row : service_rows())
    if (row.runs) out += sample_service(row);
  return out + "#};\n" + std::string(kSampleTail);
}

std::string render_man_settings() {
  std::string out;
  for (const Row& row : setting_rows()) {
    if (!row.section.empty())
      out += fmt::format("{}.Ss {}\n.Bl -tag -width Ds\n", out.empty() ? "" : ".El\n", row.section);
    out += mdoc_row(row, true);
  }
  return out + ".El\n";
}

std::string render_man_page(std::string_view page) {
  if (page.ends_with('\n')) page.remove_suffix(1);
  std::string out;
  for (std::string_view line : split_fields(page, '\n')) out += replaced_line(line);
  return out;
}

}  // namespace postern
