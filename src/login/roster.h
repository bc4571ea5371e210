// All objects of one kind in a process, owned; each knows its place, so that leaving costs nothing.
#ifndef POSTERN_LOGIN_ROSTER_H
#define POSTERN_LOGIN_ROSTER_H

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace postern {

// T has a public member `uint32_t roster_place`.
template <class T>
class Roster {
 public:
  T& add(std::unique_ptr<T> item) {
    item->roster_place = static_cast<uint32_t>(items_.size());
    items_.push_back(std::move(item));
    return *items_.back();
  }
  // Takes it out; destroying what is returned ends it.
  std::unique_ptr<T> remove(T& item) {
    const uint32_t place = item.roster_place;
    std::swap(items_[place], items_.back());
    items_[place]->roster_place = place;
    std::unique_ptr<T> out = std::move(items_.back());
    items_.pop_back();
    return out;
  }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  // Calls f(T&) for each; f may remove the one it got.
  template <class F>
  void for_each(F f) {
    for (size_t i = items_.size(); i-- > 0;)
      if (i < items_.size()) f(*items_[i]);
  }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

}  // namespace postern

#endif
