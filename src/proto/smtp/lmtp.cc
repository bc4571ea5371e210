#include "proto/smtp/lmtp.h"

#include "proto/smtp/delivery_back.h"
#include "proto/smtp/delivery_steps.h"
#include "proto/smtp/envelope.h"
#include "proto/smtp/lmtp_front.h"

namespace postern {

namespace {

// LMTP-20: without field `protocol` it is the port that the client came to.
constexpr uint16_t kLmtpPort = 24, kSmtpPort = 25;

constinit const DeliveryBackend kBackends[] = {
    {"lmtp",
     {.port = kLmtpPort, .tls_port = kLmtpPort, .alpn = "lmtp", .steps = smtp::kLmtpSteps, .login = BackLogin::Never},
     smtp::make_lmtp_back},
    {"smtp",
     {.port = kSmtpPort, .tls_port = 465, .alpn = "smtp", .steps = smtp::kSmtpSteps, .login = BackLogin::Never},
     smtp::make_smtp_back},
};

}  // namespace

constinit const DeliveryProtocol kLmtp{
    .name = "lmtp",
    .service = "lmtp",
    .make_front = smtp::make_lmtp_front,
    .backends = kBackends,
    .address_for = smtp::address_for,
};

}  // namespace postern
