#include "auth/db_pam_plan.h"

#include "base/text.h"

namespace postern {

namespace {

constexpr uint64_t kMostRequests = 1'000'000'000;

Error wrong(std::string_view word, std::string_view accepted) {
  return Error("args: " + std::string(word) + ": accepted: " + std::string(accepted));
}

Status take_flag(std::string_view value, bool& out) {
  if (value != "yes" && value != "no") return wrong(value, "yes, no");
  out = value != "no";
  return {};
}

Status take_template(std::string_view value, Template& out) {
  auto compiled = Template::compile(value);
  if (!compiled) return Error("args: " + std::string(value) + ": " + compiled.error());
  out = std::move(*compiled);
  return {};
}

Status take_requests(std::string_view value, PamPlan& plan) {
  const auto number = parse_number(value, kMostRequests);
  if (!number) return wrong(value, "max_requests=NUMBER");
  plan.max_requests = *number;
  return {};
}

struct Option {
  std::string_view begins;
  Status (*take)(std::string_view value, PamPlan& plan);
};
constexpr Option kOptions[] = {
    {"session=", [](std::string_view v, PamPlan& p) { return take_flag(v, p.session); }},
    {"setcred=", [](std::string_view v, PamPlan& p) { return take_flag(v, p.setcred); }},
    {"failure_show_msg=", [](std::string_view v, PamPlan& p) { return take_flag(v, p.failure_show_msg); }},
    {"max_requests=", take_requests},
    {"cache_key=", [](std::string_view v, PamPlan& p) { return take_template(v, p.cache_key); }},
    {"blocking=", [](std::string_view, PamPlan&) { return Status(); }},  // it always does
};

Status take_word(std::string_view word, bool last, PamPlan& plan) {
  for (const Option& o : kOptions)
    if (word.starts_with(o.begins)) return o.take(word.substr(o.begins.size()), plan);
  if (!last)
    return wrong(word,
                 "session=yes, setcred=yes, failure_show_msg=yes, max_requests=NUMBER, cache_key=KEY, and the "
                 "service's name at the end");
  return take_template(word == "*" ? "%s" : word, plan.service);
}

}  // namespace

Result<PamPlan> PamPlan::from(const DatabaseSettings& settings) {
  PamPlan plan;
  if (const Status usual = take_template("dovecot", plan.service); !usual) return Error(usual.error());
  const auto words = split_words(settings.args);
  for (size_t i = 0; i < words.size(); ++i)
    if (const Status taken = take_word(words[i], i + 1 == words.size(), plan); !taken) return Error(taken.error());
  return plan;
}

Result<DriverTraits> describe_pam(const DatabaseSettings& settings, DbKind) {
  const auto plan = PamPlan::from(settings);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = "PLAIN";  // there are none
  traits.verifies = true;
  add_uses(plan->service, traits.uses);
  for (const Variable needed : {Variable::User, Variable::RemoteIp}) {
    Template one;
    one.parts().push_back({.literal = {}, .variable = needed, .argument = {}, .filters = {}});
    add_uses(one, traits.uses);
  }
  traits.cacheable = !plan->cache_key.parts().empty();
  add_uses(plan->cache_key, traits.uses);
  return traits;
}

}  // namespace postern
