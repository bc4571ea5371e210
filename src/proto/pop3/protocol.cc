#include "proto/pop3/protocol.h"

#include "proto/pop3/back.h"
#include "proto/pop3/front.h"

namespace postern {

namespace {

// Programs are silent until the first command: the first +OK is ours.
ProgramGreeting read_program_greeting(std::string_view) { return {ProgramGreeting::State::Ready, 0, {}}; }

}  // namespace

constinit const Protocol kPop3{
    .name = "pop3",
    .login_service = "pop3-login",
    .mail_service = "pop3",
    .back = {.port = 110, .tls_port = 995, .alpn = "pop3", .steps = pop3::kSteps},
    .has_referral = false,
    .sasl_service = "pop",
    .takes_anonymous = true,
    .make_front = pop3::make_front,
    .read_program_greeting = read_program_greeting,
};

}  // namespace postern
