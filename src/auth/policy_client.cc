#include "auth/policy_client.h"

#include <utility>

namespace postern {

void PolicyClient::ask(PolicyCommand command, std::string body, Done done) {
  HttpRequest request{
      .url = rules_.url(command), .method = "POST", .timeout = rules_.timeout(), .max_answer = 8 * 1024};
  request.headers.emplace_back("Content-Type: application/json");
  if (!rules_.header().empty()) request.headers.push_back(rules_.header());
  request.body = SecretString(body);
  http_.send(std::move(request), [done = std::move(done)](const HttpAnswer& answer) {
    if (done)
      done(parse_policy_answer(answer.status,
                               answer.status == 0 ? std::string_view(answer.why) : std::string_view(answer.body)));
  });
}

}  // namespace postern
