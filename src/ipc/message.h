// A message is a struct: its number, name and codec follow from the list it stands in and from fields().
#ifndef POSTERN_IPC_MESSAGE_H
#define POSTERN_IPC_MESSAGE_H

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/result.h"
#include "base/wire.h"
#include "ipc/topology.h"

namespace postern {

// Who sends it to whom; a receiver checks this against the socket it came in on.
struct Direction {
  Role from;
  Role to;
  // Messages that any child may send to, or receive from, the master leave the other end open.
  bool any_child = false;
};

template <class M>
concept Message = HasFields<M> && requires {
  { M::kName } -> std::convertible_to<std::string_view>;
  { M::kDirection } -> std::convertible_to<Direction>;
};

template <Message... M>
struct MessageList {
  static constexpr size_t kCount = sizeof...(M);
  template <class T>
  static constexpr uint8_t number_of() {
    uint8_t number = 0, found = 255;
    ((std::is_same_v<T, M> ? found = number : 0, ++number), ...);
    return found;
  }
  // Calls visit.template operator()<M>() for the message numbered `number`; false when there is none.
  template <class V>
  static bool with_type(uint8_t number, V&& visit) {
    uint8_t i = 0;
    bool done = false;
    ((i++ == number ? (visit.template operator()<M>(), done = true) : false), ...);
    return done;
  }
};

}  // namespace postern

#endif
