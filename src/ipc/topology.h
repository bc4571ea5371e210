// Who may talk to whom. The master makes the socket pairs from this table; a channel refuses a message
// whose edge is not its own.
#ifndef POSTERN_IPC_TOPOLOGY_H
#define POSTERN_IPC_TOPOLOGY_H

#include <array>
#include <cstdint>
#include <string_view>

namespace postern {

// Trust rises in this order: a bad message from a less trusted role closes that peer, one from a more
// trusted role is fatal (STYLE H14).
enum class Role : uint8_t { Login, AuthWorker, Auth, State, Log, Master, kCount };

inline constexpr std::array<std::string_view, 6> kRoleNames{"login", "auth-worker", "auth", "state", "log", "master"};
static_assert(kRoleNames.size() == static_cast<size_t>(Role::kCount));
constexpr std::string_view name_of(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

// A direct connection between two roles. `opener` asks, `server` answers; both ends are made by the
// master and handed to the two processes.
struct Edge {
  Role opener;
  Role server;
  std::string_view purpose;
};

inline constexpr Edge kTopology[] = {
    {Role::Login, Role::Auth, "who is this user, and where does he belong"},
    {Role::Login, Role::State, "who is logged in, and may be; kicks"},
    {Role::State, Role::Auth, "what an administrator asks of auth"},
    {Role::Auth, Role::AuthWorker, "blocking look-ups and slow password hashes"},
    {Role::Login, Role::Master, "ready, load, stop; sockets for new peers"},
    {Role::Auth, Role::Master, "ready, stop; more workers; sockets for new peers"},
    {Role::AuthWorker, Role::Master, "ready, stop"},
    {Role::State, Role::Master, "ready, stop; kicks of one-shot workers, and their ends; sockets for new peers"},
    {Role::Log, Role::Master, "ready, reopen, new inputs"},
};

// Whether the table has a connection between `a` and `b`, whichever way round.
constexpr bool connected(Role a, Role b) {
  for (const Edge& edge : kTopology)
    if ((edge.opener == a && edge.server == b) || (edge.opener == b && edge.server == a)) return true;
  return false;
}

}  // namespace postern

#endif
