// The process title that ps shows: "postern: imap-login [3 pre-login + 41 proxies]" (setting verbose_proctitle).
#ifndef POSTERN_ROLE_TITLE_H
#define POSTERN_ROLE_TITLE_H

#include <string_view>

namespace postern {

// Environment variable that only makes room for titles: the kernel shows what stands where the arguments were.
inline constexpr std::string_view kTitleRoomVariable = "POSTERN_TITLE";

// Remembers where the arguments of main() are. Until then set_title() does nothing.
void keep_title_room(int argc, char** argv);
// Longer titles are cut to the room there is.
void set_title(std::string_view title);

}  // namespace postern

#endif
