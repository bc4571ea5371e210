// A client that hands over mail, for as long as it is connected. It has no word of any protocol: the front speaks for
// it.
#ifndef POSTERN_LOGIN_DELIVERY_SESSION_H
#define POSTERN_LOGIN_DELIVERY_SESSION_H

#include <memory>
#include <string>

#include "event/loop.h"
#include "login/client_side.h"
#include "login/exchange.h"
#include "proto/delivery.h"

namespace postern {

class Worker;

class DeliverySession final : public ClientSide::Owner, public Exchange::Owner {
 public:
  // As ClientSide's.
  DeliverySession(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local);

  void start(const BootListener& listener) { side_.start(listener); }
  void auth_ready();
  // The process stops: tells the client and ends (LMTP-49).
  void shut_down() { end("Shutting down", "Shutting down", Parting::ShuttingDown); }

  uint32_t roster_place = 0;

 private:
  // Arriving -> AwaitingAuth -> Open, any -> Ended
  enum class Phase : uint8_t { Arriving, AwaitingAuth, Open, Ended };

  // ClientSide::Owner
  void client_begun() override { watch_idle(); }
  void client_arrived() override;
  void client_secured() override;
  void client_readable() override;
  void client_changed() override;
  void client_drained() override { side_.read_on(); }
  void client_lost(std::string reason) override { finish(std::move(reason)); }
  // Exchange::Owner
  void recipient_answered(uint32_t recipient, const Outcome& outcome) override;
  void delivery_answered(uint32_t recipient, const Outcome& outcome) override;
  void exchange_over() override { drop(); }

  void greet();
  void process();
  bool step(size_t& taken);
  void answer(DeliveryOutput& out);
  void perform(DeliveryOutput& out);
  void request(std::monostate) {}
  void request(BeginTls) { side_.secure(); }
  void request(ForwardedFacts facts) { side_.take_forwarded(std::move(facts)); }
  void request(Farewell farewell) { finish(std::string(farewell.reason)); }
  void request(BeginTransaction begin);
  void request(AddRecipient add);
  void request(BeginMessage) {}
  void request(EndMessage);
  void request(DropTransaction) { drop(); }
  void drop();
  void watch_idle();
  void end(std::string_view reason, std::string_view goodbye, Parting why);
  void finish(std::string reason);

  Worker& worker_;
  Phase phase_ = Phase::Arriving;
  ClientSide side_;
  std::unique_ptr<DeliveryFront> front_;
  std::unique_ptr<Exchange> exchange_;
  Timer idle_;
  Instant since_;
  bool processing_ = false;  // the front is being fed: what it is told now is looked at there
  uint32_t transactions_ = 0, messages_ = 0, recipients_ = 0;
};

}  // namespace postern

#endif
