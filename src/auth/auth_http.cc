#include "auth/auth_http.h"

#include <algorithm>
#include <span>

#include "base/address.h"
#include "base/percent.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kMaxReason = 200;  // of the text that clients are shown
constexpr size_t kMaxValue = 1024;  // of a field
constexpr uint64_t kLongestWait = 3600;

// --- request -----------------------------------------------------------------

struct WordRow {
  std::string_view ours, theirs;
};
// What nginx calls our services and mechanisms, where that differs from the name in lower case.
constexpr std::string_view kSubmission = "submission";
constexpr WordRow kProtocols[] = {{kSubmission, "smtp"}};
constexpr WordRow kMethods[] = {{"login", "plain"}, {"", "plain"}};
constexpr std::string_view kNoResolver = "[UNAVAILABLE]";  // what it says of a client's host name when it looks none up

// The one mechanism without a password that nginx has, too.
bool is_external(const Variables& variables) { return iequals(variables.value(Variable::Mechanism, {}), "EXTERNAL"); }

std::string their_word(std::span<const WordRow> rows, const std::string& ours) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const WordRow& row) { return row.ours == ours; });
  return found == rows.end() ? ours : std::string(found->theirs);
}

class Headers {
 public:
  explicit Headers(const Variables& variables) : variables_(variables) {}
  std::string value(Variable variable) const { return variables_.value(variable, {}); }
  void add(std::string_view name, std::string_view value) {
    SecretString line(name);
    line.append(": ");
    line.append(value);
    lines_.push_back(std::move(line));
  }
  void add_escaped(std::string_view name, std::string_view value) {
    std::string escaped = header_escape(value);
    add(name, escaped);
    secure_zero(escaped.data(), escaped.size());
  }
  std::vector<SecretString> take() { return std::move(lines_); }

 private:
  const Variables& variables_;
  std::vector<SecretString> lines_;
};

// nginx passes the commands on as they came.
void add_envelope(Headers& headers) {
  const std::string recipient = headers.value(Variable::Recipient);
  headers.add("Auth-SMTP-From", "MAIL FROM:<" + header_escape(headers.value(Variable::Sender)) + ">");
  headers.add("Auth-SMTP-To",
              "RCPT TO:<" + header_escape(recipient.empty() ? headers.value(Variable::User) : recipient) + ">");
}

// The daemon's own session with the client: none behind a trusted peer that says he has one.
void add_tls(Headers& headers, const TlsFacts& tls, bool pass_certificate) {
  headers.add("Auth-SSL", "on");
  if (tls.protocol.empty()) return;
  const bool verified = !tls.sha1.empty();
  headers.add("Auth-SSL-Protocol", tls.protocol);
  headers.add("Auth-SSL-Cipher", tls.cipher);
  headers.add("Auth-SSL-Verify", verified ? "SUCCESS" : "NONE");
  if (!verified) return;
  headers.add("Auth-SSL-Subject", tls.subject);
  headers.add("Auth-SSL-Issuer", tls.issuer);
  headers.add("Auth-SSL-Serial", tls.serial);
  headers.add("Auth-SSL-Fingerprint", tls.sha1);
  if (pass_certificate) headers.add_escaped("Auth-SSL-Cert", tls.pem);
}

// --- answer ------------------------------------------------------------------

// Empty when there is none, too, as nginx sees it.
std::string_view header_of(const HttpAnswer& answer, std::string_view name) {
  const auto found =
      std::find_if(answer.headers.begin(), answer.headers.end(), [name](const auto& h) { return h.first == name; });
  return found == answer.headers.end() ? std::string_view() : std::string_view(found->second);
}

DbRow with_check(DbRow row, PasswordCheck check) {
  row.result = LookupResult::Found;
  row.check = check;
  return row;
}

bool is_host(std::string_view text) {
  const auto is_name_byte = [](char c) {
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '.' || c == '-';
  };
  return IpAddress::parse(text) || (text.size() < 256 && std::all_of(text.begin(), text.end(), is_name_byte));
}

// Where to. Neither of both: whatever else the block's fields say. Nothing: fine.
std::optional<std::string> add_destination(const HttpAnswer& answer, FieldList& fields) {
  const std::string_view server = header_of(answer, "auth-server"), port = header_of(answer, "auth-port");
  if (server.empty() && port.empty()) return std::nullopt;
  if (server.empty() || port.empty()) return "the service has sent only one of Auth-Server and Auth-Port";
  const auto number = parse_number(port, 65535);
  if (!number || *number == 0) return "Auth-Port is not a port";
  if (!is_host(server)) return "Auth-Server is not an address";
  fields.emplace_back("proxy", "y");
  fields.emplace_back("host", server);
  fields.emplace_back("port", port);
  return std::nullopt;
}

struct ValueRow {
  std::string_view header, field;
};
// nginx goes on under the new name in all it does: in its log, and towards the backend. So it is `user`, not
// `destuser`.
constexpr ValueRow kValues[] = {{"auth-user", "user"}, {"auth-pass", "pass"}};

DbRow accepted(const HttpAnswer& answer, bool judges) {
  DbRow row;
  for (const ValueRow& value : kValues) {
    const std::string_view text = header_of(answer, value.header);
    if (text.size() > kMaxValue || has_control(text))
      return DbRow::broken("a value is too long or has control characters");
    if (!text.empty()) row.fields.emplace_back(value.field, text);
  }
  if (auto why = add_destination(answer, row.fields)) return DbRow::broken(std::move(*why));
  return with_check(std::move(row), judges ? PasswordCheck::Right : PasswordCheck::None);
}

DbRow refused(std::string_view status, bool judges) {
  if (!judges) return DbRow::not_found();
  DbRow row;
  row.fields.emplace_back("reason", printable(status, kMaxReason));
  return with_check(std::move(row), PasswordCheck::Wrong);
}

AuthHttpVerdict wait(const HttpAnswer& answer) {
  const uint64_t seconds = parse_number(header_of(answer, "auth-wait"), kLongestWait).value_or(0);
  return {DbRow::broken("the service asks to wait for too long"), Milliseconds(std::max<uint64_t>(seconds, 1) * 1000)};
}

}  // namespace

bool auth_http_judges(const AsyncLookup& what) { return what.shown.secret != nullptr || is_external(what.variables); }

std::vector<SecretString> auth_http_headers(const AsyncLookup& what, bool pass_client_cert) {
  Headers headers(what.variables);
  const SecretString* secret = what.shown.secret;
  const std::string mechanism = to_lower(headers.value(Variable::Mechanism)),
                    service = headers.value(Variable::Service);
  headers.add("Auth-Method", auth_http_judges(what) ? their_word(kMethods, mechanism) : "none");
  headers.add_escaped("Auth-User", headers.value(Variable::User));
  headers.add_escaped("Auth-Pass", secret == nullptr ? std::string_view() : secret->reveal());
  if (!what.shown.challenge.empty()) headers.add_escaped("Auth-Salt", what.shown.challenge);
  headers.add("Auth-Protocol", their_word(kProtocols, service));
  headers.add("Auth-Login-Attempt", headers.value(Variable::LoginAttempt));
  headers.add("Client-IP", headers.value(Variable::RemoteIp));
  if (service == kSubmission) headers.add("Client-Host", kNoResolver);
  if (!auth_http_judges(what)) add_envelope(headers);
  if (headers.value(Variable::Secured) == "TLS") add_tls(headers, what.subject.tls, pass_client_cert);
  return headers.take();
}

AuthHttpVerdict auth_http_verdict(const HttpAnswer& answer, bool judges) {
  if (answer.status == 0) return {DbRow::broken("no answer: " + printable(answer.why))};
  const std::string_view status = header_of(answer, "auth-status");
  if (status.empty())
    return {DbRow::broken("the answer has no Auth-Status, its HTTP status is " + std::to_string(answer.status))};
  if (status == "OK") return {accepted(answer, judges)};
  if (status == "WAIT") return wait(answer);
  if (header_of(answer, "auth-error-code").starts_with('4'))
    return {DbRow::broken("the service says: " + printable(status, kMaxReason))};
  return {refused(status, judges)};
}

}  // namespace postern
