// The protocol of nginx' mail proxy towards a site's own service (ngx_mail_auth_http_module): headers of a GET request say who
// wants in, headers of the answer say where to. Pure.
#ifndef POSTERN_AUTH_AUTH_HTTP_H
#define POSTERN_AUTH_AUTH_HTTP_H

#include <optional>
#include <string>
#include <vector>

#include "auth/db.h"
#include "base/clock.h"
#include "net/http_client.h"

namespace postern {

// The protocol's own headers of a request, in nginx' order and with its escapes. `password` null: only who the user is
// (Auth-Method: none), as nginx asks for recipients.
std::vector<SecretString> auth_http_headers(const Variables& variables, const SecretString* password);

struct AuthHttpVerdict {
  DbRow row;
  std::optional<Milliseconds> ask_again{};  // Auth-Status: WAIT; `row` is what it means when that takes too long
};

// What an answer means. `asked_password`: as the request had one; without, what is not OK is an unknown user. An answer that
// is none, and one whose Auth-Error-Code is 4xx, is Broken: a temporary failure, never a wrong password.
AuthHttpVerdict auth_http_verdict(const HttpAnswer& answer, bool asked_password);

}  // namespace postern

#endif
