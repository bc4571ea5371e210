// One message from a client: who its recipients are, where each of them belongs, and what has become of him. Backends
// are a Transaction's work, programs of this host LocalDelivery's.
#ifndef POSTERN_LOGIN_EXCHANGE_H
#define POSTERN_LOGIN_EXCHANGE_H

#include <memory>
#include <string>
#include <vector>

#include "delivery/transaction.h"
#include "login/auth_client.h"
#include "login/client_side.h"
#include "login/local_delivery.h"
#include "proto/delivery.h"

namespace postern {

class Worker;

class Exchange final : public Transaction::Owner, public LocalDelivery::Owner {
 public:
  class Owner {
   public:
    // The exchange must outlive the turn of the loop.
    virtual void recipient_answered(uint32_t recipient, const Outcome& outcome) = 0;
    virtual void delivery_answered(uint32_t recipient, const Outcome& outcome) = 0;
    // Every recipient has his answer.
    virtual void exchange_over() = 0;

   protected:
    ~Owner() = default;
  };

  // `side` and `front` outlive it; `id`: of the transaction (LMTP-35).
  Exchange(Worker& worker, const ClientSide& side, const DeliveryFront& front, Envelope envelope, std::string id,
           Owner& owner);

  void add(Recipient recipient);
  // A piece of the message.
  void append(std::string_view body);
  // It is complete. Every recipient who was taken gets his answer.
  void deliver();
  // Nobody wants to hear of it any more.
  void abandon() { owner_ = nullptr; }
  size_t recipients() const { return members_.size(); }

 private:
  struct Member final : AuthClient::Waiter {
    Member(Exchange& of, Recipient r) : exchange(of), recipient(std::move(r)) {}
    void auth_challenge(std::string) override {}
    void auth_reply(AuthReply reply, Fd) override { exchange.look_at(*this, std::move(reply)); }
    void auth_slow() override {}

    Exchange& exchange;
    Recipient recipient;
    std::string user;  // as auth named him
    enum class At : uint8_t { Nowhere, Backend, Here } at = At::Nowhere;
    bool taken = false;
    AuthTicket ticket;
    std::unique_ptr<LocalDelivery> delivery;
  };

  // Transaction::Owner
  void backend_answered(uint32_t recipient, Outcome outcome) override {
    settle(*members_[recipient], std::move(outcome));
  }
  void backend_troubled(LogLevel level, const std::string& line) override;
  // LocalDelivery::Owner
  void locally_delivered(uint32_t recipient, Outcome outcome) override;
  void local_trouble(const std::string& line) override;

  UserLookup question_for(const Member& member) const;
  void look_at(Member& member, AuthReply reply);
  void go(Member& member, DeliveryRoute& route);
  void go(Member& member, RefusedRoute& route);
  void go(Member& member, LocalRoute& route);
  void settle(Member& member, Outcome outcome);
  void start_locals();
  TraceFacts trace_facts() const;
  BackPlan plan() const;
  std::string session_of(const Member& member) const;
  std::string describe(const Outcome& outcome) const;
  void log(const Member* member, LogLevel level, std::string_view event, std::string_view message) const;
  void log_answer(const Member& member, const Outcome& outcome) const;

  Worker& worker_;
  const ClientSide& side_;
  const DeliveryFront& front_;
  const Envelope envelope_;
  const std::string id_;
  Owner* owner_;
  std::vector<std::unique_ptr<Member>> members_;  // by number
  Spool spool_;
  Status kept_;
  std::string header_;
  bool complete_ = false;
  size_t unanswered_ = 0;  // complete_: recipients
  Instant begun_{};        // complete_: since when it is on its way
  size_t locals_running_ = 0, locals_started_ = 0;
  Transaction backends_;  // goes first: it reads what stands above
};

}  // namespace postern

#endif
