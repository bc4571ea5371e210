// Prints what follows from the settings tables, for the build: `conf-doc sample`, `conf-doc man < postern.conf.5.in`.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "conf/render.h"

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  std::string out;
  if (what == "sample") out = postern::render_sample();
  if (what == "man") out = postern::render_man_page(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  if (out.empty()) {
    fputs("usage: conf-doc sample | man\n", stderr);
    return 64;
  }
  return fwrite(out.data(), 1, out.size(), stdout) == out.size() && fflush(stdout) == 0 ? 0 : 74;
}
