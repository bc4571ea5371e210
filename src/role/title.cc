#include "role/title.h"

#include <string.h>
#include <unistd.h>

#include <algorithm>

namespace postern {

namespace {
char* room = nullptr;
size_t room_size = 0;
}  // namespace

void keep_title_room(int argc, char** argv) {
  if (argc < 1) return;
  char* end = argv[0];
  const auto extend = [&end](char* text) {
    if (text == end) end += strlen(text) + 1;  // only what lies behind the last one without a gap
  };
  for (int i = 0; i < argc; ++i) extend(argv[i]);
  for (char** e = environ; e != nullptr && *e != nullptr; ++e) extend(*e);
  // The environment is used later on (time zone): only the variable made for it may be overwritten.
  char* limit = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
  if (environ != nullptr && environ[0] == limit &&
      std::string_view(environ[0]).substr(0, kTitleRoomVariable.size()) == kTitleRoomVariable)
    limit += strlen(environ[0]) + 1;
  room = argv[0];
  room_size = static_cast<size_t>(std::min(limit, end) - argv[0]);
}

void set_title(std::string_view title) {
  if (room_size < 2) return;
  const size_t length = std::min(title.size(), room_size - 1);
  memcpy(room, title.data(), length);
  // A title longer than the arguments leaves no zero at their end; the kernel then goes on to the first zero.
  memset(room + length, 0, room_size - length);
}

}  // namespace postern
