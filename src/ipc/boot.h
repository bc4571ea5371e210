// What the master hands a new process: one sealed memfd and a fixed set of descriptors. A child holds
// nothing else at its start.
#ifndef POSTERN_IPC_BOOT_H
#define POSTERN_IPC_BOOT_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/secret.h"
#include "conf/settings.h"
#include "ipc/topology.h"

namespace postern {

// Descriptors every child inherits.
enum BootFd : int {
  kControlFd = 3,  // Channel to the master
  kLogFd = 4,      // SOCK_SEQPACKET to the log process, see role/log_client.h
  kBootFd = 5,     // the memfd with ChildBoot
  kDeadManFd = 6,  // pipe: readable (end of file) once the master is gone
  kFirstListenerFd = 7,
};

// A listening socket. `fd` is its number in the child, kFirstListenerFd and up; -1 for a prepared parent, which
// accepts nothing itself.
struct BootListener {
  int32_t fd = -1;
  std::string name;  // "imaps"; of a socket in the file system its path
  Endpoint local;    // address it is bound to; ip.is_any() for wildcards, none in the file system
  bool ssl = false, haproxy = false;
  auto fields() { return std::tie(fd, name, local, ssl, haproxy); }
};

struct ChildBoot {
  Role role = Role::Login;
  ServiceSettings service;
  Configuration configuration;  // the role's slice
  std::vector<BootListener> listeners;
  uint32_t generation = 0;  // of the configuration; grows with each reload
  bool privileged = false;  // started as root: drop to user, group, chroot below
  std::string chroot;       // absolute; empty: none
  // Files the role needs and cannot read itself (certificates, keys, CA), by the path in the settings.
  std::vector<std::pair<std::string, SecretString>> files;
  SecretString ticket_seed;    // login: for the keys of TLS session tickets (tls/tickets.h), the same in all workers
  uint64_t tickets_began = 0;  // milliseconds of the monotonic clock: when ticket_seed was made
  bool to_stderr = false;      // log: everything to stderr (postern -L)
  bool one_shot = false;       // login: a prepared parent that forks a worker per connection (service_count = 1)

  auto fields() {
    return std::tie(role, service, configuration, listeners, generation, privileged, chroot, files, ticket_seed,
                    tickets_began, to_stderr, one_shot);
  }
};

}  // namespace postern

#endif
