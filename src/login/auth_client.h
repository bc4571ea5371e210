// Questions to postern-auth and their answers, over one channel that the master replaces when auth dies.
#ifndef POSTERN_LOGIN_AUTH_CLIENT_H
#define POSTERN_LOGIN_AUTH_CLIENT_H

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "ipc/channel.h"

namespace postern {

class AuthClient;

// A request under way. Destroying it tells auth to forget it; no answer comes after that.
class AuthTicket {
 public:
  AuthTicket() = default;
  AuthTicket(AuthClient& client, uint64_t id) : client_(&client), id_(id) {}
  AuthTicket(AuthTicket&& other) noexcept : client_(std::exchange(other.client_, nullptr)), id_(other.id_) {}
  AuthTicket& operator=(AuthTicket&& other) noexcept {
    std::swap(client_, other.client_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~AuthTicket();
  explicit operator bool() const { return client_ != nullptr; }
  uint64_t id() const { return id_; }
  // The answer has come: nothing to cancel any more.
  void done() { client_ = nullptr; }

 private:
  AuthClient* client_ = nullptr;
  uint64_t id_ = 0;
};

class AuthClient {
 public:
  // Who asked.
  class Waiter {
   public:
    virtual void auth_challenge(std::string challenge) = 0;
    // `program`: the socket to the user's mail program, when reply.mail_pid is not 0.
    virtual void auth_reply(AuthReply reply, Fd program) = 0;
    // Auth has taken `login_auth_slow_notice` so far (IMAP-106); once per request.
    virtual void auth_slow() = 0;

   protected:
    ~Waiter() = default;
  };

  // `slow`: IMAP-106. `outage`: how long requests wait for a new auth process before they fail for now. `patience`: how
  // long they wait for one that is there and says nothing; it gives up earlier itself.
  AuthClient(Loop& loop, Milliseconds slow, Milliseconds outage, Milliseconds patience);

  // A socket to a (new) auth process. `trusted_ready`: it is known to serve already.
  void connect(Fd socket, bool trusted_ready = false);
  // Gives the socket up; nothing may be under way. Not to be called from an answer.
  void disconnect();
  bool ready() const { return ready_; }
  // Called each time auth becomes ready.
  void on_ready(std::function<void()> callback) { ready_callback_ = std::move(callback); }

  // The waiter must outlive the ticket. `start.id` is filled in here.
  [[nodiscard]] AuthTicket begin(Waiter& waiter, AuthStart start);
  // The same for a look-up; `message`: with one that delivers.
  [[nodiscard]] AuthTicket begin(Waiter& waiter, UserLookup lookup, Fd message = Fd());
  void respond(const AuthTicket& ticket, SecretString response);

  // From the channel.
  void on(const AuthHello&);
  void on(AuthChallenge message);
  void on(const AuthReply& message, std::span<Fd> descriptors);

 private:
  friend class AuthTicket;
  struct Pending {
    Waiter* waiter;
    std::variant<AuthStart, UserLookup> question;  // to be asked again if auth dies; its secret is wiped with it
    Instant since;
    bool asked_again = false;
    bool told_slow = false;
    bool once = false;  // a challenge was answered, or a message given away: cannot be asked again
  };
  template <class Question>
  AuthTicket ask(Waiter& waiter, Question question, Fd message);
  void cancel(uint64_t id);
  void lost(std::string_view why);
  void answer(AuthReply reply, Fd program);
  void fail(uint64_t id);
  void tick();
  void start_ticking();

  Loop& loop_;
  Milliseconds slow_, outage_, patience_;
  std::unique_ptr<Channel> channel_;
  bool ready_ = false;
  Instant lost_at_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, Pending> pending_;
  std::function<void()> ready_callback_;
  Timer tick_;
};

}  // namespace postern

#endif
