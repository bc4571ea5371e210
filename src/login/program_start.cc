#include "login/program_start.h"

#include "base/text.h"

namespace postern {

void ProgramStart::start() {
  if (greeted()) return;
  watch_.start(
      loop_, stream_.fd(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<ProgramStart*>(self)->read(); }, this);
  patience_.start(
      loop_, kPatience,
      [](void* self) { static_cast<ProgramStart*>(self)->owner_.program_failed("no greeting within 30 seconds"); },
      this);
}

void ProgramStart::read() {
  char buffer[kMaxProgramGreeting];
  const IoResult r = stream_.read(buffer, sizeof buffer);
  if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return;
  if (r.state != IoState::Done) return owner_.program_failed("ended without a greeting");
  received_.append(buffer, r.bytes);
  greeted();
}

// Tells the owner and is done, or there is more to come.
bool ProgramStart::greeted() {
  ProgramGreeting greeting = protocol_.read_program_greeting(received_);
  if (greeting.state == ProgramGreeting::State::Waiting) return false;
  watch_.stop();
  patience_.stop();
  if (greeting.state == ProgramGreeting::State::Wrong) {
    owner_.program_failed("unexpected greeting: " +
                          printable(received_.substr(0, received_.find_first_of("\r\n")), 160));
    return true;
  }
  received_.erase(0, greeting.taken);
  owner_.program_ready(std::move(greeting.capabilities));
  return true;
}

Stream ProgramStart::take_stream() {
  watch_.stop();
  return std::move(stream_);
}

}  // namespace postern
