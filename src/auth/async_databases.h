// The drivers whose databases answer in auth's own loop: they wait for a socket, and block nobody. Linked by auth
// alone.
#ifndef POSTERN_AUTH_ASYNC_DATABASES_H
#define POSTERN_AUTH_ASYNC_DATABASES_H

#include "auth/settings.h"
#include "event/loop.h"

namespace postern {

class Resolver;

// What such databases work with; outlives them.
struct AsyncWorld {
  Loop& loop;
  Resolver& resolver;
};

// Opens them for all blocks of `settings`, which were compiled from `configuration`. The Error names the block.
Status open_async_databases(const Configuration& configuration, const AsyncWorld& world, AuthSettings& settings);

}  // namespace postern

#endif
