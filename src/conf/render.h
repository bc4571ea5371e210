// The settings tables, printed: dumps, sample file, man page sections.
#ifndef POSTERN_CONF_RENDER_H
#define POSTERN_CONF_RENDER_H

#include <string>
#include <string_view>

#include "conf/settings.h"

namespace postern {

// libconfig text that parses back. `all`: defaults too (postern -a), else only what differs (-n).
// Secrets print as "<hidden>" unless `show_secrets` (-P).
std::string render_configuration(const Configuration& configuration, bool all, bool show_secrets);

// etc/postern.conf: every setting with its sentence, commented out.
std::string render_sample();
// The SETTINGS part of postern.conf(5), mdoc.
std::string render_man_settings();
// postern.conf(5): the hand-written page with its lines @SETTINGS@, @SERVICES@, @SERVICE_KEYS@, @LISTENER_KEYS@,
// @SOCKET_KEYS@, @PASSDB_KEYS@ and @USERDB_KEYS@ replaced from the tables.
std::string render_man_page(std::string_view page);

}  // namespace postern

#endif
