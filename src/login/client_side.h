// The client's side of a connection, whatever is spoken on it: PROXY header, TLS, who he is and what counts as secured,
// bytes both ways, log lines. It has no word of any protocol and knows no phase of one.
#ifndef POSTERN_LOGIN_CLIENT_SIDE_H
#define POSTERN_LOGIN_CLIENT_SIDE_H

#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "event/loop.h"
#include "ipc/boot.h"
#include "login/client.h"
#include "login/header_reader.h"
#include "login/view.h"
#include "proto/facts.h"
#include "tls/stream.h"

namespace postern {

class Worker;

class ClientSide {
 public:
  class Owner {
   public:
    // The header, if one was due, is through: the client's time begins.
    virtual void client_begun() = 0;
    // TLS from the first byte on, if that is the door's kind, is there: speak.
    virtual void client_arrived() = 0;
    // TLS that secure() began is there.
    virtual void client_secured() = 0;
    // There may be something to read; also while nobody wants it: see pause().
    virtual void client_readable() = 0;
    // All that was written is out.
    virtual void client_drained() {}
    // facts() are others now.
    virtual void client_changed() = 0;
    // It is over; `reason` is for the log.
    virtual void client_lost(std::string reason) = 0;

   protected:
    ~Owner() = default;
  };

  // A connection from `remote` that reached us at `local`; both are none where it came by a local socket.
  ClientSide(Worker& worker, Owner& owner, Fd fd, const Endpoint& remote, const Endpoint& local);
  ~ClientSide() { watch_.stop(); }
  ClientSide(const ClientSide&) = delete;
  ClientSide& operator=(const ClientSide&) = delete;

  // `listener`: where it came in.
  void start(const BootListener& listener);

  ClientInfo& info() { return info_; }
  const ClientInfo& info() const { return info_; }
  const View& view() const { return *view_; }
  const ConnectionFacts& facts() const { return facts_; }
  // What a backend that wants a PROXY header is told (field proxy_haproxy).
  ProxyHeader told_header() const;
  std::string tls_description() const { return stream_.tls_description(); }
  ChannelBindings channel_bindings() const { return stream_.channel_bindings(); }
  TlsFacts tls_facts() const { return stream_.facts(); }
  // Header or handshake are under way: he cannot be spoken to.
  bool is_arriving() const { return phase_ != Phase::Open; }
  bool is_over() const { return phase_ == Phase::Over; }
  // What a trusted peer says of the client behind it (IMAP-53).
  void take_forwarded(ForwardedFacts facts);

  // TLS by STARTTLS, once all that waits is written; what was read in the clear is thrown away.
  void secure();

  // --- bytes ---
  // What was read and not taken yet. take(n) drops the first n bytes, and leaves no copy behind.
  std::string_view input() const { return in_; }
  bool full() const { return in_.size() >= kReadAhead; }
  void take(size_t bytes);
  // Reads once, what there is. False: the client is gone, and the owner has heard it.
  bool read();
  // Has client_readable() called again without the kernel's word, if TLS holds more; read_on() also if there is input
  // left, and it ends a pause.
  void read_pending();
  void read_on();
  // Nothing more is to be read until read_on(); an end of the connection is still noticed once (PXI-7).
  void pause();
  // Writes what it can now; the rest follows. More than login_max_output ends the connection.
  void write(std::string_view bytes);
  // The same without that limit.
  void write_last(std::string_view bytes);
  size_t waiting_output() const { return out_.size(); }
  uint64_t bytes_out() const { return bytes_out_; }

  // --- the end ---
  // Stops; what waits is written as far as it goes. The stream closes with this object.
  void finish();
  // Gives the connection to somebody else, with what was read and what is not written yet.
  struct Remains {
    Stream stream;
    std::string input, output;
  };
  Remains hand_over();
  void let_go() { watch_.stop(); }

  // --- log ---
  std::string elements() const { return view_->elements.fill(info_); }
  // `facts` beside the client's own.
  void log(LogLevel level, std::string_view event, std::string_view message,
           std::vector<std::pair<std::string_view, std::string_view>> facts = {}) const;
  void log_with(std::string_view elements, LogLevel level, std::string_view event, std::string_view message,
                std::vector<std::pair<std::string_view, std::string_view>> facts = {}) const;

 private:
  // Header -> Handshake -> Open <-> Handshake (STARTTLS), any -> Over
  enum class Phase : uint8_t { Header, Handshake, Open, Over };

  // Bytes read at a time, and ahead of what is taken; more stays with the kernel.
  static constexpr size_t kReadAhead = 8192;

  // The connection as it reached the first of our machines: what counts for trust (IMAP-8, SUB-33). A load balancer's
  // PROXY header changes it, what a trusted peer says later does not.
  struct Door {
    Endpoint remote, local;
    bool tls_before = false;  // the balancer took TLS off
    bool tls_first = false;   // the listener has implicit TLS
  };

  void choose_view();
  void update_facts();
  void await_header();
  void on_header();
  void take_header(const ProxyHeader& header);
  void refuse_header(std::string_view why);
  void arrive();
  void begin_handshake();
  void continue_handshake();
  void look_at_certificate();
  static TlsContext* choose_context(void* self, std::string_view name);
  void on_ready(short what);
  void flush();
  void lost(IoResult result);
  void lose(std::string reason);

  Worker& worker_;
  Owner& owner_;
  Phase phase_ = Phase::Handshake;
  bool starttls_ = false;  // the handshake under way was asked for in the clear
  bool flush_then_tls_ = false;
  ClientInfo info_;
  Door door_;
  std::unique_ptr<HeaderReader> header_;
  ConnectionFacts facts_;
  std::shared_ptr<const View> view_;
  Stream stream_;
  Watch watch_;
  Timer patience_;  // for the header
  std::string in_, out_;
  uint64_t bytes_out_ = 0;
};

}  // namespace postern

#endif
