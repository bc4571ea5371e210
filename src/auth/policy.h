// Policy servers (weakforced): asked before and after a login whether it may be, told how it ended (AUTH-45 to
// AUTH-48). What is asked and what an answer means; policy_client.h brings it over HTTP. Pure.
#ifndef POSTERN_AUTH_POLICY_H
#define POSTERN_AUTH_POLICY_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/variables.h"
#include "base/result.h"
#include "base/secret.h"
#include "conf/settings.h"
#include "crypt/digest.h"

namespace postern {

enum class PolicyCommand : uint8_t { Allow, Report };

// What a server said of one login.
struct PolicyAnswer {
  bool failed = false;  // nothing usable came; `message` is then for the log
  int64_t status = 0;   // below 0: refuse; above 0: let him wait that many seconds
  std::string message;
};

// What is known of a login besides its variables.
struct PolicyFacts {
  std::string user;  // whom he wants to log in as
  std::string hash;  // PolicyRules::hash() of user and password
  bool tls = false;
  // reports only
  bool success = false, policy_reject = false;
  std::string_view fail_type{};
};

class PolicyRules {
 public:
  // No URL: not enabled. The Error names the setting.
  static Result<PolicyRules> compile(const Settings& settings);

  bool enabled() const { return !url_.empty(); }
  bool before_auth() const { return enabled() && before_auth_; }
  bool after_auth() const { return enabled() && after_auth_; }
  bool report() const { return enabled() && report_; }
  bool log_only() const { return log_only_; }
  bool reject_on_fail() const { return reject_on_fail_; }
  Milliseconds timeout() const { return timeout_; }
  const SecretString& header() const { return header_; }  // "Name: value"; empty: none

  std::string url(PolicyCommand command) const;
  // Hex of the first bits of a digest of nonce, user and password (AUTH-46).
  std::string hash(std::string_view user, std::string_view password) const;
  // The JSON object to send. `report`: with success, policy_reject and fail_type.
  std::string body(PolicyCommand command, const PolicyFacts& facts, const Variables& variables) const;

 private:
  enum class Source : uint8_t { Template, User, Hash };
  struct Attribute {
    std::vector<std::string> path;  // "a/b": an object in an object
    Source source = Source::Template;
    Template value;
  };
  Status add_attribute(std::string_view text);

  std::string url_;
  SecretString header_, nonce_;
  DigestKind digest_ = DigestKind::Sha256;
  unsigned truncate_ = 12;
  std::vector<Attribute> attributes_;
  Milliseconds timeout_{2000};
  bool before_auth_ = true, after_auth_ = true, report_ = true, log_only_ = false, reject_on_fail_ = false;
};

// `http_status` 0: no answer, `body` says why.
PolicyAnswer parse_policy_answer(int http_status, std::string_view body);

// Who brings questions to the server.
class PolicyServer {
 public:
  using Done = std::function<void(PolicyAnswer)>;
  virtual ~PolicyServer() = default;
  // `done` is called once, never before this returned; null: nobody wants to know.
  virtual void ask(PolicyCommand command, std::string body, Done done) = 0;
};

}  // namespace postern

#endif
