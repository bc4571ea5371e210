#include "proto/sieve/protocol.h"

#include "proto/sieve/back.h"
#include "proto/sieve/front.h"

namespace postern::sieve {

namespace {

// Programs are silent until the first command: the OK is ours.
ProgramGreeting read_program_greeting(std::string_view) { return {ProgramGreeting::State::Ready, 0, {}}; }

}  // namespace

constinit const Protocol kSieve{
    .name = "sieve",
    .login_service = "managesieve-login",
    .mail_service = "managesieve",
    .back = {.port = kPort, .tls_port = 0, .alpn = "managesieve", .steps = kSteps},
    .has_referral = true,
    .sasl_service = "sieve",
    .make_front = make_front,
    .read_program_greeting = read_program_greeting,
};

}  // namespace postern::sieve
