// Tables that are indexed by an enum.
#ifndef POSTERN_BASE_ROWS_H
#define POSTERN_BASE_ROWS_H

#include <cstddef>

namespace postern {

// Whether each row stands at the place that its `key` says: for a static_assert behind a table that code indexes.
template <class Rows, class Row, class Key>
constexpr bool rows_stand_in_order(const Rows& rows, Key Row::*key) {
  size_t place = 0;
  for (const Row& row : rows)
    if (static_cast<size_t>(row.*key) != place++) return false;
  return true;
}

}  // namespace postern

#endif
