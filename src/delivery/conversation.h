// One backend's share of a transaction: the connection, the recipients that belong there, the message, and their
// outcomes (LMTP-25 to LMTP-46).
#ifndef POSTERN_DELIVERY_CONVERSATION_H
#define POSTERN_DELIVERY_CONVERSATION_H

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "delivery/farewells.h"
#include "delivery/spool.h"
#include "proto/delivery.h"
#include "proxy/proxy_login.h"

namespace postern {

// What all deliveries of a process share.
struct DeliveryWorld {
  ProxyWorld proxy;
  Farewells& farewells;
  const SpoolFolder& folder;
};

// From the settings.
struct DeliveryOptions {
  ProxyOptions proxy;                    // timeout: lmtp_proxy_connect_timeout
  Milliseconds command_timeout{300000};  // for one answer
  Milliseconds data_timeout{125000};     // from the first byte of a message to the last answer
  Milliseconds idle_timeout{300000};     // of clients
  uint64_t spool_memory = 128 * 1024;
  bool proxies = true;             // lmtp_proxy
  uint32_t user_concurrency = 10;  // local deliveries for one user; 0: any number
};

// What is to be delivered. Both outlive the sending.
struct Mail {
  const std::string& header;  // ours, in front
  const Spool& spool;
  uint64_t size() const { return header.size() + spool.size(); }
};

class Conversation final : public ProxyLogin::Owner {
 public:
  class Owner {
   public:
    // The conversation must outlive the turn of the loop.
    virtual void settled(uint32_t recipient, Outcome outcome) = 0;
    virtual void conversation_troubled(LogLevel level, const std::string& line) = 0;

   protected:
    ~Owner() = default;
  };

  // `route`, `plan` as ProxyLogin's; `backend` and `envelope` outlive it.
  Conversation(const DeliveryWorld& world, const DeliveryOptions& options, const DeliveryBackend& backend,
               ProxyRoute route, BackPlan plan, const Envelope& envelope, Owner& owner);
  // Takes leave where that can be done in order.
  ~Conversation();

  void start() { login_->start(); }
  // `address`, `forward`: DeliveryBack::add_recipient().
  void add_recipient(const Recipient& recipient, std::string address, ForwardFields forward);
  // The message is complete. `timeout`: for all of it.
  void send_message(const Mail& mail, Milliseconds timeout);

  const ProxyRoute& route() const { return route_; }
  const DeliveryBackend& backend() const { return backend_; }
  Endpoint destination() const { return destination_; }

 private:
  // Connecting -> Talking -> Failed: what back_ still has to tell, if it was made, it tells when it is asked
  enum class Phase : uint8_t { Connecting, Talking, Failed };

  struct Named {
    Recipient recipient;
    std::string address;
    ForwardFields forward;
  };
  // The message on its way: what is out, and what of the next piece is.
  struct Sending {
    Mail mail;
    uint64_t position = 0;  // of that piece, as it is
    BodyState state{};      // before it
    size_t piece_sent = 0;  // of it, as it is sent, the end of the message included
  };

  // ProxyLogin::Owner
  void proxy_accepted(BackendReply reply) override;
  void proxy_failed(BackendFailure failure, std::string log_line) override;
  void proxy_forward(std::string_view) override {}
  void proxy_retry(std::string_view) override {}
  void proxy_odd(std::string_view what) override { owner_.conversation_troubled(LogLevel::Warning, std::string(what)); }

  void on_ready(short what);
  void read();
  void flush();
  bool flush_once();
  Status append_piece(std::string& wire, uint64_t& next, BodyState& state);
  size_t write_some(std::string_view wire);
  void act_on(DeliveryBackOutput& out);
  void give_up();
  void fail(ProxyTrouble trouble, const std::string& why);
  void lost(IoResult result);
  void on_timeout();
  void update_timer();

  DeliveryWorld world_;
  const DeliveryOptions& options_;
  const DeliveryBackend& backend_;
  const Envelope& envelope_;
  ProxyRoute route_;
  Owner& owner_;
  Phase phase_ = Phase::Connecting;
  Endpoint destination_;
  std::unique_ptr<ProxyLogin> login_;
  std::vector<Named> early_;  // named before the backend was there
  std::unique_ptr<DeliveryBack> back_;
  BackendRef backend_ref_;
  Stream stream_;
  Watch watch_;
  Timer timer_;
  std::string in_, out_;
  std::optional<Sending> sending_;
  std::optional<Mail> mail_;  // begun; sent when the backend wants it
  Instant deadline_{};        // of the data phase
  Outcome failure_;           // Failed without back_
};

}  // namespace postern

#endif
