#include "proto/back.h"

#include <utility>

#include "base/base64.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr std::string_view kNotProved = "Server has not proved that it knows the password (SCRAM server signature)";

}  // namespace

bool always(const BackPlan&) { return true; }

Verdict failed(StepResult& result, FailureClass what, std::string log_text) {
  result.failure.what = what;
  result.failure.log_text = std::move(log_text);
  return Verdict::Failed;
}

std::string_view mechanism_of(const BackPlan& plan) {
  return plan.mechanism.empty() ? std::string_view("PLAIN") : std::string_view(plan.mechanism);
}

bool uses_sasl(const BackPlan& plan) { return !uses_plain_login(plan); }
bool uses_plain_login(const BackPlan& plan) { return plan.mechanism.empty() && plan.master.empty(); }

ClientCredentials credentials(const BackPlan& plan) {
  return {plan.user, plan.master.empty() ? plan.user : plan.master, plan.password.reveal()};
}

bool has_unsafe_credentials(const BackPlan& plan) {
  return has_control(plan.user) || has_control(plan.master) || has_control(plan.password.reveal());
}

bool choose_sasl(BackPlan& plan) {
  const auto mechanism = ClientMechanism::make(mechanism_of(plan));
  if (mechanism) plan.learned.sasl = *mechanism;
  return mechanism.has_value();
}

SecretString initial_response(BackPlan& plan) {
  if (!plan.learned.sasl.client_first()) return {};
  return plan.learned.sasl.step({}, credentials(plan)).value_or(SecretString());
}

void append_initial(std::string& out, const SecretString& initial) {
  if (initial.empty()) out += '=';
  else append_base64(out, initial);
}

std::optional<SecretString> response_to(std::string_view encoded, BackPlan& plan, StepResult& result) {
  const auto challenge = base64_decode(trim(encoded));
  if (!challenge) {
    failed(result, FailureClass::Protocol, "Invalid base64 data in challenge: " + printable(trim(encoded)));
    return std::nullopt;
  }
  auto response = plan.learned.sasl.step(*challenge, credentials(plan));
  if (!response && plan.learned.sasl.refuted()) failed(result, FailureClass::RemoteConfig, std::string(kNotProved));
  else if (!response) failed(result, FailureClass::Protocol, "Unexpected challenge");
  return response;
}

bool confirm_sasl(std::string_view encoded, const BackPlan& plan, StepResult& result) {
  const auto data = base64_decode(trim(encoded));
  if (plan.learned.sasl.confirmed(data.value_or(std::string()))) return true;
  failed(result, FailureClass::RemoteConfig, std::string(kNotProved));
  return false;
}

Verdict answer_challenge(std::string_view encoded, BackPlan& plan, StepResult& result) {
  const auto response = response_to(encoded, plan, result);
  if (!response) return Verdict::Failed;
  append_base64(result.send, *response);
  result.send += "\r\n";
  return Verdict::More;
}

void append_base64(std::string& out, const SecretString& secret) {
  std::string encoded = base64_encode(secret.reveal());
  out += encoded;
  secure_zero(encoded.data(), encoded.size());
}

}  // namespace postern
