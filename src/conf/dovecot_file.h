// Dovecot's "key = value" files (dovecot-sql.conf.ext, dovecot-ldap.conf.ext), read unchanged.
#ifndef POSTERN_CONF_DOVECOT_FILE_H
#define POSTERN_CONF_DOVECOT_FILE_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern {

struct DovecotFile {
  std::vector<std::pair<std::string, std::string>> values;  // a key given twice counts as its last value
  std::vector<std::string> errors;                          // "LINE: what is wrong"
};

// Comments begin with # outside quotes; \ at the end of a line continues it; a value may stand in ' or ".
DovecotFile parse_dovecot_file(std::string_view text);

}  // namespace postern

#endif
