// Makes the exchanges of auth. Apart from the table of mechanisms, which login processes link, too: none of the
// libraries behind this belongs into a process that clients talk to.
#ifndef POSTERN_SASL_SERVER_MECHANISMS_H
#define POSTERN_SASL_SERVER_MECHANISMS_H

#include <memory>
#include <string_view>

#include "sasl/mechanisms.h"
#include "sasl/server.h"

namespace postern {

// A new exchange of `mechanism`, a row of all_mechanisms(); never null. Copies what it needs of `context`.
std::unique_ptr<ServerMechanism> make_server_mechanism(const MechanismInfo& mechanism, const SaslContext& context = {});

// Whether the library behind it has this mechanism: it may have been built without.
bool is_available(const MechanismInfo& mechanism);

}  // namespace postern

#endif
