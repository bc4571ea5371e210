// Configurations, to be compared.
#ifndef POSTERN_T_CONF_CONFIGURATION_BYTES_H
#define POSTERN_T_CONF_CONFIGURATION_BYTES_H

#include <string>

#include "base/wire.h"
#include "conf/settings.h"

namespace postern {

// All of it as bytes, but for where it came from.
inline std::string bytes_of(Configuration c) {
  c.file.clear();
  for (DatabaseSettings& d : c.passdbs) d.where.clear();
  for (DatabaseSettings& d : c.userdbs) d.where.clear();
  std::string out;
  Writer(out).put(c);
  return out;
}

}  // namespace postern

#endif
