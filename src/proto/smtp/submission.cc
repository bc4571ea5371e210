#include "proto/smtp/submission.h"

#include "proto/smtp/submission_back.h"
#include "proto/smtp/submission_front.h"

namespace postern {

namespace {

// No program serves submission users here (DECISIONS section 8).
ProgramGreeting read_program_greeting(std::string_view) { return {ProgramGreeting::State::Wrong, 0, {}}; }

}  // namespace

constinit const Protocol kSubmission{
    .name = "submission",
    .login_service = "submission-login",
    .mail_service = "",  // none
    .back = {.port = 587,
             .tls_port = 465,
             .alpn = "submission",
             .steps = smtp::kSubmissionSteps,
             .login = BackLogin::MaySkip},
    .has_referral = false,
    .sasl_service = "smtp",
    .make_front = smtp::make_submission_front,
    .read_program_greeting = read_program_greeting,
};

}  // namespace postern
