// Certificates, keys and authorities: the master reads them as root and hands their contents to login processes.
#ifndef POSTERN_MASTER_BOOT_FILES_H
#define POSTERN_MASTER_BOOT_FILES_H

#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "conf/settings.h"

namespace postern {

using BootFiles = std::vector<std::pair<std::string, SecretString>>;

// All files that the TLS settings of `configuration` and of its overrides name, each once, by the path in the
// settings; the files of ssl_client_ca_dir each under its own path; PEM that stands in a setting under itself.
// What cannot be read goes to `errors` as "SETTING = PATH: why".
BootFiles read_boot_files(const Configuration& configuration, std::vector<std::string>& errors);

// Whether each certificate in the settings fits its key; what is wrong goes to `errors`.
void check_certificates(const Configuration& configuration, const BootFiles& files, std::vector<std::string>& errors);

}  // namespace postern

#endif
