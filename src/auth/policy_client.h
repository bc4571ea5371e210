// The policy server, over HTTP.
#ifndef POSTERN_AUTH_POLICY_CLIENT_H
#define POSTERN_AUTH_POLICY_CLIENT_H

#include "auth/policy.h"
#include "net/http_client.h"

namespace postern {

class PolicyClient final : public PolicyServer {
 public:
  // Both outlive it.
  PolicyClient(Loop& loop, const PolicyRules& rules) : http_(loop), rules_(rules) {}
  void ask(PolicyCommand command, std::string body, Done done) override;

 private:
  HttpClient http_;
  const PolicyRules& rules_;
};

}  // namespace postern

#endif
