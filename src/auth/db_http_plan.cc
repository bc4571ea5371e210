#include "auth/db_http_plan.h"

#include <algorithm>

#include "base/percent.h"
#include "base/text.h"
#include "conf/values.h"

namespace postern {

namespace {

constexpr size_t kMaxUrl = 2048;

std::string setting(const DatabaseSettings& settings, const std::string& name) {
  const auto found = settings.driver_settings.find("http_" + name);
  return found == settings.driver_settings.end() ? std::string() : found->second;
}

// http or https, a host that is the same for everybody, and a path.
Status check_url(std::string_view text) {
  const size_t host = text.find("://");
  if (!istarts_with(text, "http://") && !istarts_with(text, "https://"))
    return Error("http_url must begin with http:// or https://");
  if (text.size() > kMaxUrl || has_control(text) || text.find(' ') != std::string_view::npos)
    return Error("http_url is too long, or has blanks in it");
  const std::string_view rest = text.substr(host + 3), authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.empty() || authority.starts_with(':')) return Error("http_url has no host");
  if (authority.find('@') != std::string_view::npos)
    return Error("http_url has a password in it, which http_header (\"Authorization: Basic ...\") keeps out of sight");
  if (authority.find('%') != std::string_view::npos) return Error("http_url: variables may stand behind the host only");
  return {};
}

Status take_url(const DatabaseSettings& settings, HttpPlan& plan) {
  const std::string text = setting(settings, "url");
  if (text.empty()) return Error("http_url is missing");
  if (const Status good = check_url(text); !good) return good;
  auto compiled = Template::compile(text);
  if (!compiled) return Error("http_url: " + compiled.error());
  if (compiled->uses(Variable::Password)) return Error("http_url: a URL has no password in it");
  for (Template::Part& part : compiled->parts()) plan.url.emplace_back().parts().push_back(std::move(part));
  return {};
}

bool is_header(std::string_view line) {
  constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?={} \t";
  const size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || has_control(line)) return false;
  return line.substr(0, colon).find_first_of(kSeparators) == std::string_view::npos;
}

Status take_headers(const DatabaseSettings& settings, HttpPlan& plan) {
  const std::string all = setting(settings, "header");
  for (const std::string_view line : split_words(all, "\r\n")) {
    if (!is_header(line)) return Error("http_header: each line is a header, \"Name: value\"");
    plan.headers.emplace_back(line);
  }
  return {};
}

Status take_timeout(const DatabaseSettings& settings, HttpPlan& plan) {
  constexpr int64_t kLongest = 60'000;
  const std::string text = setting(settings, "timeout");
  if (text.empty()) return {};
  const auto time = parse_time(text);
  if (!time) return Error("http_timeout " + time.error());
  if (*time < 1 || *time > kLongest) return Error("http_timeout = " + text + ": accepted: up to 60 secs");
  plan.timeout = Milliseconds(*time);
  return {};
}

Status take_limit(const DatabaseSettings& settings, HttpPlan& plan) {
  const std::string text = setting(settings, "max_requests");
  const auto number = parse_number(text.empty() ? std::string_view("1000") : text, 100'000);
  if (!number || *number == 0) return Error("http_max_requests = " + text + ": accepted: a number from 1 to 100000");
  plan.max_requests = *number;
  return {};
}

Status take_pass_client_cert(const DatabaseSettings& settings, HttpPlan& plan) {
  const std::string text = setting(settings, "pass_client_cert");
  const auto flag = parse_yes_no(text.empty() ? "no" : text);
  if (!flag) return Error("http_pass_client_cert = " + text + ": accepted: yes, no");
  plan.pass_client_cert = *flag;
  return {};
}

}  // namespace

Result<HttpPlan> HttpPlan::from(const DatabaseSettings& settings) {
  if (!settings.args.empty()) return Error("args: http has none; see http_url");
  HttpPlan plan;
  const Status steps[] = {take_url(settings, plan), take_headers(settings, plan), take_timeout(settings, plan),
                          take_limit(settings, plan), take_pass_client_cert(settings, plan)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  plan.ca_file = setting(settings, "ca_file");
  plan.cert_file = setting(settings, "cert_file");
  plan.key_file = setting(settings, "key_file");
  return plan;
}

std::string HttpPlan::url_for(const Variables& variables) const {
  std::string out;
  for (const Template& part : url) {
    const std::string& literal = part.parts()[0].literal;
    out += literal;
    out += url_escape(std::string_view(part.expand(variables)).substr(literal.size()));
  }
  return out;
}

Result<DriverTraits> describe_http(const DatabaseSettings& settings, DbKind) {
  const auto plan = HttpPlan::from(settings);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = "PLAIN";
  traits.verifies = true;
  traits.verifies_digests = true;
  return traits;
}

}  // namespace postern
