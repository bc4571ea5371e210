// What a policy server is asked and told of this login (AUTH-45 to AUTH-48).
#include <fmt/core.h>

#include <utility>

#include "auth/request.h"
#include "base/check.h"
#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

struct TypeRow {
  AuthResult result;
  std::string_view word;
};
constexpr TypeRow kFailTypes[] = {{AuthResult::Ok, ""},
                                  {AuthResult::Failed, "credentials"},
                                  {AuthResult::AuthzFailed, "account"},
                                  {AuthResult::Disabled, "disabled"},
                                  {AuthResult::Expired, "expired"}};

std::string_view fail_type(AuthResult result, bool policy_reject) {
  if (policy_reject) return "policy";
  for (const TypeRow& row : kFailTypes)
    if (row.result == result) return row.word;
  return "internal";
}

}  // namespace

PolicyFacts AuthRequest::policy_facts() const {
  PolicyFacts facts;
  facts.user = login_user_.empty() ? user_ : login_user_;
  facts.hash = policy_hash_;
  facts.tls = start_.subject.secured == "TLS";
  return facts;
}

AuthStep AuthRequest::ask_policy(Waiting waiting) {
  waiting_ = waiting;
  return AskPolicy{settings_.policy.body(PolicyCommand::Allow, policy_facts(), *this)};
}

AuthStep AuthRequest::take_policy(const PolicyAnswer& answer) {
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  POSTERN_CHECK(waited == Waiting::PolicyBefore || waited == Waiting::PolicyAfter, "no policy was asked for");
  const PolicyRules& rules = settings_.policy;
  if (answer.failed) error("policy", answer.message + (rules.reject_on_fail() ? ": login refused" : ": login goes on"));
  const bool refuses = answer.failed ? rules.reject_on_fail() : answer.status < 0;
  if (refuses && !rules.log_only()) return refuse_by_policy(answer);
  if (!answer.failed && answer.status != 0)
    log_info(line("policy", fmt::format("status {}{}", answer.status, rules.log_only() ? ", only logged" : "")));
  if (waited == Waiting::PolicyAfter) return finish_success();
  const bool waits = !answer.failed && answer.status > 0 && !rules.log_only() && !start_.subject.no_penalty;
  if (!waits) return walk_from_start();
  waiting_ = Waiting::Tarpit;
  return Tarpit{Milliseconds(std::min<int64_t>(answer.status, settings_.request_timeout.count() / 1000) * 1000)};
}

AuthStep AuthRequest::tarpit_over() {
  POSTERN_CHECK(std::exchange(waiting_, Waiting::Nothing) == Waiting::Tarpit, "nobody waits");
  return walk_from_start();
}

// A server that does not answer is no verdict on the user.
AuthStep AuthRequest::refuse_by_policy(const PolicyAnswer& answer) {
  if (answer.failed) return refuse(AuthResult::Unavailable, ReplyTime::Kind::AfterInternalFailure);
  policy_reject_ = true;
  note("policy", "refused: " + (answer.message.empty() ? std::to_string(answer.status) : answer.message));
  refusal_reason_ = answer.message;
  return refuse_client(AuthResult::Failed, ReplyTime::Kind::AfterFailure);
}

std::string AuthRequest::policy_report(const AuthReply& reply) const {
  if (!asks_policy() || !settings_.policy.report() || user_.empty()) return {};
  PolicyFacts facts = policy_facts();
  facts.success = reply.result == AuthResult::Ok;
  facts.policy_reject = policy_reject_;
  facts.fail_type = fail_type(reply.result, policy_reject_);
  return settings_.policy.body(PolicyCommand::Report, facts, *this);
}

}  // namespace postern
