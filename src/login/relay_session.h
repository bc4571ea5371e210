// A session after login: the relay, what its last log line needs, and nothing else.
#ifndef POSTERN_LOGIN_RELAY_SESSION_H
#define POSTERN_LOGIN_RELAY_SESSION_H

#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/packed_texts.h"
#include "proxy/backends.h"
#include "proxy/relay.h"

namespace postern {

class Worker;

class RelaySession final : public Relay::Owner, public DelayedClose {
 public:
  // `backend`: none for a local mail program. `prefix`: "proxy(user,192.0.2.1:143)" or "PROTOCOL(user)<pid>";
  // `elements` as logged at login. `in` and `out`: bytes written to backend and client before (LOG-11). `spread`:
  // login_proxy_max_disconnect_delay.
  RelaySession(Worker& worker, Stream front, Stream back, BackendRef backend, std::string_view prefix,
               std::string_view elements, std::string_view log_format, uint64_t in, uint64_t out, Milliseconds spread);
  ~RelaySession();

  void start(std::string_view to_back, std::string_view to_front);
  // We end it: "Disconnected by proxy: Process shutting down".
  void close_by_proxy(std::string_view why);
  // Seconds without traffic.
  uint32_t idle_seconds() const;

  // Kicked by admin (ALG-51): the backend's side ends now, the client's within the spread (ALG-1). `one_of_many`: other
  // processes have the others, so the time is drawn by lot.
  void kick(bool one_of_many);
  // The session has ended; its client only waits for his turn.
  bool is_over() const { return over_; }
  // StateClient::started(), to be kept.
  void keep_record(std::string_view record) { texts_.assign({texts_[kPrefix], texts_[kElements], record}); }
  std::string_view record() const { return texts_[kRecord]; }

  uint32_t roster_place = 0;

 private:
  enum Text : uint8_t { kPrefix, kElements, kRecord, kTexts };
  void relay_ended(Relay::Side side, const std::string& error) override;
  void discarded_ended() override;
  void close_now() override;
  void end_back(std::string_view how, Milliseconds (RelaySession::*wait_for)());
  Milliseconds paced_wait();
  Milliseconds drawn_wait();
  void log_end(std::string_view how, Milliseconds delay);
  void log_with_facts(LogEvent event, uint64_t in, uint64_t out) const;

  Worker& worker_;
  Relay relay_;
  BackendRef backend_;
  std::string_view log_format_;  // the view's
  PackedTexts<kTexts> texts_;
  uint64_t in_, out_;
  uint32_t spread_ms_;
  bool over_ = false;
  Backend::Place place_{};  // over_: in the spread
};

}  // namespace postern

#endif
