// The backends of one message: recipients are brought together where they belong to the same one, the message goes to
// all of them at once, and what one of them does changes nobody's answer at another (LMTP-25, LMTP-43).
#ifndef POSTERN_DELIVERY_TRANSACTION_H
#define POSTERN_DELIVERY_TRANSACTION_H

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "delivery/conversation.h"
#include "proxy/route.h"

namespace postern {

class Transaction final : public Conversation::Owner {
 public:
  class Owner {
   public:
    // Of a recipient that was sent to a backend: when he was named, then of the message. The transaction must outlive
    // the turn of the loop.
    virtual void backend_answered(uint32_t recipient, Outcome outcome) = 0;
    // For the log.
    virtual void backend_troubled(LogLevel level, const std::string& line) = 0;

   protected:
    ~Owner() = default;
  };

  // `plan`: what backends are told, but for `forward.session` and what the route says. `id`: LMTP-35. `options`
  // outlives it.
  Transaction(const DeliveryWorld& world, const DeliveryOptions& options, Envelope envelope, std::string id,
              BackPlan plan, Owner& owner);

  // `address`: what he is called there.
  void send_to(const Recipient& recipient, DeliveryRoute route, std::string address);
  // The message is complete; it outlives this.
  void deliver(const Mail& mail);
  // Where a recipient was sent: for the log.
  struct Place {
    std::string host;
    Endpoint to;
  };
  Place place_of(uint32_t recipient) const;

 private:
  // A recipient and the way he has gone.
  struct Sent {
    Recipient recipient;
    std::string address;
    ForwardFields forward;
    Conversation* with = nullptr;
    std::vector<Endpoint> visited;
  };

  void settled(uint32_t recipient, Outcome outcome) override;
  void conversation_troubled(LogLevel level, const std::string& line) override { owner_.backend_troubled(level, line); }
  Conversation& conversation_with(DeliveryRoute route, uint32_t hops);
  bool follow(Sent& sent, Outcome& outcome);
  BackPlan plan_for(const ProxyRoute& route, uint32_t hops) const;

  const DeliveryWorld world_;
  const DeliveryOptions& options_;
  const Envelope envelope_;
  const std::string id_;
  const BackPlan plan_;
  Owner& owner_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  std::unordered_map<uint32_t, Sent> sent_;
  bool complete_ = false;
};

}  // namespace postern

#endif
