// The protocol of nginx' mail proxy towards a site's own service (ngx_mail_auth_http_module): headers of a GET request
// say who wants in, headers of the answer say where to. Pure.
#ifndef POSTERN_AUTH_AUTH_HTTP_H
#define POSTERN_AUTH_AUTH_HTTP_H

#include <optional>
#include <string>
#include <vector>

#include "auth/db.h"
#include "base/clock.h"
#include "net/http_client.h"

namespace postern {

// Whether the service is to judge what the client has shown: password, digest, certificate. Else only who the user is
// is asked (Auth-Method: none), as nginx asks for recipients.
bool auth_http_judges(const AsyncLookup& what);
// The protocol's own headers of a request, in nginx' order and with its escapes. `pass_client_cert`: with the whole
// certificate.
std::vector<SecretString> auth_http_headers(const AsyncLookup& what, bool pass_client_cert);

struct AuthHttpVerdict {
  DbRow row;
  std::optional<Milliseconds> ask_again{};  // Auth-Status: WAIT; `row` is what it means when that takes too long
};

// What an answer means. `judges`: as the request was; without, what is not OK is an unknown user. An answer that is
// none, and one whose Auth-Error-Code is 4xx, is Broken: a temporary failure, never a wrong password. Its HTTP status
// means nothing when there is an Auth-Status, as nginx has it: services answer with 204, or 401 and 403.
AuthHttpVerdict auth_http_verdict(const HttpAnswer& answer, bool judges);

}  // namespace postern

#endif
