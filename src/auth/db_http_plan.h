// What a block with driver = "http" says. Pure; the asking is in db_http.cc.
#ifndef POSTERN_AUTH_DB_HTTP_PLAN_H
#define POSTERN_AUTH_DB_HTTP_PLAN_H

#include <string>
#include <vector>

#include "auth/db.h"
#include "base/clock.h"

namespace postern {

struct HttpPlan {
  std::vector<Template> url;         // one variable each
  std::vector<std::string> headers;  // "Name: value", the same in every request
  Milliseconds timeout{10'000};
  size_t max_requests = 1'000;
  bool pass_client_cert = false;
  std::string ca_file, cert_file, key_file;

  static Result<HttpPlan> from(const DatabaseSettings& settings);
  // Values are escaped where they go in: none leaves its place in the path or the query.
  std::string url_for(const Variables& variables) const;
};

Result<DriverTraits> describe_http(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
