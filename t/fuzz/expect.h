// What a fuzz target holds to be true: the input that breaks it is found again by libFuzzer or the replay.
#ifndef POSTERN_T_FUZZ_EXPECT_H
#define POSTERN_T_FUZZ_EXPECT_H

#include <cstdio>
#include <cstdlib>

namespace postern::fuzz {

inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace postern::fuzz

#endif
