// What the scripts of several protocols share: reading a BackPlan, and refusing.
#ifndef POSTERN_PROTO_BACK_H
#define POSTERN_PROTO_BACK_H

#include <optional>
#include <string>
#include <string_view>

#include "proto/script.h"

namespace postern {

// Longest text of a backend's refusal that is passed on to the client.
inline constexpr size_t kMaxBackendReply = 4096;

// Step::wanted of a step that always applies.
bool always(const BackPlan& plan);
// Fills `result` in; for `return failed(...)`.
Verdict failed(StepResult& result, FailureClass what, std::string log_text);

// proxy_mech, or PLAIN.
std::string_view mechanism_of(const BackPlan& plan);
// With proxy_mech or a master user there must be SASL; else the protocol's own login will do (PXI-15).
bool uses_sasl(const BackPlan& plan);
bool uses_plain_login(const BackPlan& plan);
// Points into `plan`.
ClientCredentials credentials(const BackPlan& plan);
// A line end in a name or password would be a command of the user's choice (PXI-6, GEN-14).
bool has_unsafe_credentials(const BackPlan& plan);

// Makes plan.learned.sasl ready for an exchange; false: we have no such mechanism.
bool choose_sasl(BackPlan& plan);
// The initial response of that exchange, empty for a mechanism where the server speaks first.
SecretString initial_response(BackPlan& plan);
// Appends it in base64, "=" when it is empty (RFC 4954, RFC 4959).
void append_initial(std::string& out, const SecretString& initial);
// What the exchange answers to a challenge in base64; nothing, and `result` filled in, when it is none or one too many.
std::optional<SecretString> response_to(std::string_view encoded, BackPlan& plan, StepResult& result);
// The same as a step's verdict: the answer in base64 on a line of its own (More), or Failed.
Verdict answer_challenge(std::string_view encoded, BackPlan& plan, StepResult& result);
// The backend says yes, with `encoded` in base64 (empty: nothing more). False, and `result` filled in, when it had to
// prove that it knows the password and has not (PXI-55).
bool confirm_sasl(std::string_view encoded, const BackPlan& plan, StepResult& result);
// Appends `secret` in base64 and leaves no copy behind.
void append_base64(std::string& out, const SecretString& secret);

}  // namespace postern

#endif
