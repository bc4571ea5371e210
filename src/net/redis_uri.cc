#include "net/redis_uri.h"

#include <sys/un.h>

#include "base/percent.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kMaxServers = 16;
constexpr uint64_t kMaxDatabase = 65535;
constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

Status take_database(std::string_view text, RedisServer& server) {
  const auto number = parse_number(text, kMaxDatabase);
  if (!number) return Error("the database is not a number");
  server.database = static_cast<uint32_t>(*number);
  return {};
}

// [USER]:PASSWORD in front of an '@'; what is behind it is left in `text`.
Status take_credentials(std::string_view& text, RedisServer& server) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view both = text.substr(0, at);
  const size_t colon = both.find(':');
  if (colon == std::string_view::npos) return Error("there is a user without a password: USER:PASSWORD@ or :PASSWORD@");
  const auto user = percent_decode(both.substr(0, colon)), password = percent_decode(both.substr(colon + 1));
  if (!user || !password) return Error("user or password has a '%' without two hexadecimal digits");
  if (password->empty()) return Error("the password is empty");
  server.user = *user;
  server.password = SecretString(*password);
  text.remove_prefix(at + 1);
  return {};
}

// HOST, HOST:PORT, [ADDRESS]:PORT.
Status take_place(std::string_view text, RedisServer& server) {
  const size_t closed = text.starts_with('[') ? text.find(']') : 0;
  if (closed == std::string_view::npos) return Error("a ']' is missing");
  const size_t colon = text.find(':', closed);
  server.host = text.substr(0, colon);
  if (closed != 0) server.host = text.substr(1, closed - 1);
  if (server.host.empty() || has_control(server.host)) return Error("the host is missing");
  if (colon == std::string_view::npos) return {};
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!port || *port == 0) return Error("the port is not a number from 1 to 65535");
  server.port = static_cast<uint16_t>(*port);
  return {};
}

Status take_tcp(std::string_view text, RedisServer& server) {
  if (const Status taken = take_credentials(text, server); !taken) return taken;
  const size_t slash = text.find('/');
  if (const Status taken = take_place(text.substr(0, slash), server); !taken) return taken;
  const std::string_view database = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  return database.empty() ? Status() : take_database(database, server);
}

Status take_unix(std::string_view text, RedisServer& server) {
  constexpr std::string_view kDatabase = "db=";
  const size_t query = text.find('?');
  const std::string_view database = query == std::string_view::npos ? std::string_view() : text.substr(query + 1);
  text = text.substr(0, query);
  if (const Status taken = take_credentials(text, server); !taken) return taken;
  if (!text.starts_with('/') || text.size() > kMaxPath)
    return Error("the absolute path of a socket is missing, or too long");
  server.path = text;
  if (database.empty()) return {};
  if (!database.starts_with(kDatabase)) return Error("behind the '?' only db=NUMBER is known");
  return take_database(database.substr(kDatabase.size()), server);
}

Status no_tls(std::string_view, RedisServer&) {
  return Error("Redis over TLS (rediss) is not spoken; use a unix socket, or a tunnel");
}

struct SchemeRow {
  std::string_view scheme;
  Status (*take)(std::string_view rest, RedisServer& server);
};
constexpr SchemeRow kSchemes[] = {{"redis://", take_tcp}, {"unix://", take_unix}, {"rediss://", no_tls}};

Status take_server(std::string_view uri, RedisServer& server) {
  for (const SchemeRow& row : kSchemes)
    if (istarts_with(uri, row.scheme)) return row.take(uri.substr(row.scheme.size()), server);
  return Error("is neither redis://HOST:PORT/DATABASE nor unix:///PATH?db=DATABASE");
}

}  // namespace

std::string RedisServer::text() const {
  if (host.empty()) return path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<std::vector<RedisServer>> parse_redis_uris(std::string_view text) {
  std::vector<RedisServer> servers;
  for (const std::string_view uri : split_words(text, " \t,")) {
    const Status taken = take_server(uri, servers.emplace_back());
    if (!taken) return Error("server " + std::to_string(servers.size()) + ": " + taken.error());
  }
  if (servers.empty()) return Error("no server is named");
  if (servers.size() > kMaxServers) return Error("more than " + std::to_string(kMaxServers) + " servers");
  return servers;
}

}  // namespace postern
