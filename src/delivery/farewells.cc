#include "delivery/farewells.h"

#include <algorithm>
#include <utility>

namespace postern {

void Farewells::say(Stream stream, std::string_view words) {
  const IoResult said = words.empty() ? IoResult{IoState::Done, 0} : stream.write(words);
  if (said.state != IoState::Done || said.bytes < words.size()) return;  // it would be half a word: close
  if (leaving_.size() >= kMost) leaving_.pop_front();
  leaving_.push_back(
      std::unique_ptr<Leaving>(new Leaving{this, loop_.now() + kPatience, std::move(stream), {}, false}));
  Leaving& added = *leaving_.back();
  added.watch.start(
      loop_, added.stream.fd(), EV_READ,
      [](evutil_socket_t, short, void* l) { static_cast<Leaving*>(l)->all->on_readable(*static_cast<Leaving*>(l)); },
      &added);
  if (!timer_.running())
    timer_.start(
        loop_, kPatience, [](void* self) { static_cast<Farewells*>(self)->sweep(); }, this);
}

// Whatever it answers: it is its close that counts.
void Farewells::on_readable(Leaving& leaving) {
  char buffer[512];
  const IoResult r = leaving.stream.read(buffer, sizeof buffer);
  if (r.state == IoState::Done || r.state == IoState::WantRead || r.state == IoState::WantWrite) return;
  leaving.over = true;
  leaving.watch.stop();
  leaving.stream.close();
  if (std::exchange(sweep_pending_, true)) return;
  loop_.defer([this] {
    sweep_pending_ = false;
    sweep();
  });
}

void Farewells::sweep() {
  const Instant now = loop_.now();
  std::erase_if(leaving_, [now](const auto& l) { return l->over || l->until <= now; });
  if (leaving_.empty()) return timer_.stop();
  const auto wait = std::chrono::ceil<Milliseconds>(leaving_.front()->until - now);
  timer_.start(
      loop_, wait, [](void* self) { static_cast<Farewells*>(self)->sweep(); }, this);
}

}  // namespace postern
