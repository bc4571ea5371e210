// The auth process: login processes ask, requests answer, in one event loop.
#ifndef POSTERN_AUTH_SERVICE_H
#define POSTERN_AUTH_SERVICE_H

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <unordered_map>

#include "auth/attempts.h"
#include "auth/cache.h"
#include "auth/delay_line.h"
#include "auth/mail_starts.h"
#include "auth/request.h"
#include "auth/workers.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/rarely.h"
#include "event/loop.h"
#include "ipc/channel.h"
#include "net/resolver.h"

namespace postern {

class AuthService {
 public:
  // Requests under way per login process; one more is a temporary failure at once. A login process has at most one
  // per client.
  static constexpr size_t kMaxPerPeer = 32768;

  // All outlive the service. `idle` is called when the last login process left or, while draining, the last
  // request ended.
  AuthService(Loop& loop, const Clock& clock, WorkerPool& workers, Resolver& resolver, AuthSettings settings,
              std::function<void()> idle);
  ~AuthService();
  AuthService(const AuthService&) = delete;
  AuthService& operator=(const AuthService&) = delete;

  // Where mail programs are ordered; without it there are no local logins. Outlives the service.
  void order_mail_from(MailStarts& starts) { mail_starts_ = &starts; }
  // Who brings questions to the policy server; needed when there is one. Outlives the service.
  void ask_policy_of(PolicyServer& server) { policy_server_ = &server; }
  const PolicyRules& policy() const { return settings_.policy; }
  // A socket to a login process; AuthHello goes out at once.
  void add_login(Fd socket, uint32_t pid);
  // Runs a request that no client sent. `done` is called once, perhaps before this returns; there are no delays.
  void try_out(std::unique_ptr<AuthRequest> request, std::function<void(Finished)> done);
  AuthSettings& settings() { return settings_; }
  const AuthRequest::World& world() const { return world_; }
  // Waiting replies leave now, requests under way end as temporary failures (AUTH-40).
  void finish_all();
  // AUTH-39. Wildcards for translated user names, without any all; how many answers that were.
  size_t flush_cache(std::span<const std::string> masks);
  // All zero without a cache.
  CacheStatus cache_status() const;
  size_t peers() const { return peers_.size(); }
  size_t requests() const { return requests_.size(); }

 private:
  struct Peer;
  struct Entry;
  struct NotBegun {};
  struct InTarpit {};

  void on_packet(Peer& peer, std::string_view packet, std::span<Fd> descriptors);
  void lost(Peer& peer, std::string_view why);
  Entry* admit(Peer& peer, uint64_t id);
  void start(Peer& peer, const AuthStart& message);
  void look_up(Peer& peer, const UserLookup& message, std::span<Fd> descriptors);
  void begin(Entry& entry);
  void begin_in_time(uint64_t serial);
  bool counts(const Entry& entry) const;
  void turn_away(uint64_t serial, Entry& entry);
  bool has_turn(uint64_t serial, Entry& entry, const ReplyTime& when);
  void resume(Peer& peer, const AuthContinue& message);
  void cancel(Peer& peer, const AuthCancel& message);
  void forget(uint64_t serial);
  // What a request wants now. `serial` may be gone afterwards.
  void perform(uint64_t serial, AuthStep step);
  void ask(uint64_t serial, AskResponse& step);
  void ask(uint64_t serial, AskLookup& step);
  void ask(uint64_t serial, AskAsync& step);
  void ask(uint64_t serial, AskPolicy& step);
  void ask(uint64_t serial, Tarpit& step);
  void ask(uint64_t serial, AskVerify& step);
  void ask(uint64_t serial, AskAddresses& step);
  void ask(uint64_t serial, Finished& step);
  void send_held(uint64_t serial);
  void send_now(uint64_t serial, Entry& entry, std::monostate);
  void send_now(uint64_t serial, Entry& entry, NotBegun);
  void send_now(uint64_t serial, Entry& entry, InTarpit);
  void send_now(uint64_t serial, Entry& entry, AuthChallenge& challenge);
  void send_now(uint64_t serial, Entry& entry, AuthReply& reply);
  void start_mail(uint64_t serial, Entry& entry, AuthReply due);
  void mail_started(uint64_t serial, AuthReply reply, const MailStarted& started, Fd socket);
  // Calls `next(request)` and performs what it wants, unless the client left meanwhile.
  template <class Next>
  void go_on(uint64_t serial, Next&& next);
  Entry* find(uint64_t serial);

  void send_in_time(uint64_t serial, const ReplyTime& when);
  void schedule();
  void release_due();
  void give_turns();
  void watch_timeout(uint64_t serial);
  void check_timeouts();

  Loop& loop_;
  const Clock& clock_;
  WorkerPool& workers_;
  Resolver& resolver_;
  AuthSettings settings_;
  std::function<void()> idle_;
  MailStarts* mail_starts_ = nullptr;
  PolicyServer* policy_server_ = nullptr;
  std::mt19937_64 random_;
  Rarely warned_;                     // users whose fields are odd
  std::unique_ptr<AuthCache> cache_;  // null: auth_cache_size is 0
  AuthRequest::World world_;
  std::unordered_map<uint64_t, std::unique_ptr<Peer>> peers_;
  std::unordered_map<uint64_t, Entry> requests_;
  uint64_t next_serial_ = 0;
  Attempts attempts_;
  DelayLine delays_;
  Timer delay_timer_, turn_timer_;
  std::deque<std::pair<Instant, uint64_t>> timeouts_;  // in order: the time is the same for all
  Timer timeout_timer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern

#endif
