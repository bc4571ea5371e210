// A message on its way to a program of this host, for one recipient (DECISIONS section 8): a file of his own with it,
// the program that auth has started for him, and how that ends.
#ifndef POSTERN_LOGIN_LOCAL_DELIVERY_H
#define POSTERN_LOGIN_LOCAL_DELIVERY_H

#include <string>

#include "delivery/spool.h"
#include "event/loop.h"
#include "login/auth_client.h"
#include "proto/delivery.h"

namespace postern {

class LocalDelivery final : public AuthClient::Waiter {
 public:
  class Owner {
   public:
    // Once, from the loop; the delivery must outlive the turn.
    virtual void locally_delivered(uint32_t recipient, Outcome outcome) = 0;
    virtual void local_trouble(const std::string& line) = 0;

   protected:
    ~Owner() = default;
  };

  // `question` is complete but for its id. `header` with CRLF, `spool` outlives it.
  LocalDelivery(Loop& loop, AuthClient& auth, const SpoolFolder& folder, const Spool& spool, std::string header,
                UserLookup question, uint32_t recipient, Owner& owner);
  ~LocalDelivery() { watch_.stop(); }

  void start();

 private:
  // AuthClient::Waiter
  void auth_challenge(std::string) override {}
  void auth_reply(AuthReply reply, Fd program) override;
  void auth_slow() override {}

  void copy_some();
  void ask();
  void on_end();
  void finish(OutcomeKind kind, std::string text = {});
  void fail(const std::string& why);

  Loop& loop_;
  AuthClient& auth_;
  const SpoolFolder& folder_;
  const Spool& spool_;
  std::string header_;
  UserLookup question_;
  const uint32_t recipient_;
  Owner& owner_;
  Fd file_;
  uint64_t copied_ = 0;
  Timer turn_;
  AuthTicket ticket_;
  Fd end_;
  Watch watch_;
};

}  // namespace postern

#endif
