#include "ipc/admin.h"

#include <nlohmann/json.hpp>

namespace postern {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxMasks = 1000;

std::string line_of(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'; }

// Nothing when it is missing; false when it is of another type or too large.
bool take(const Json& object, const char* name, std::string& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  out = found->get<std::string>();
  return true;
}

bool take(const Json& object, const char* name, bool& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_boolean()) return false;
  out = found->get<bool>();
  return true;
}

bool take(const Json& object, const char* name, SecretString& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  out = SecretString(found->get_ref<const std::string&>());
  return true;
}

using Texts = std::vector<std::pair<std::string, std::string>>;

bool take(const Json& object, const char* name, Texts& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_object()) return false;
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) return false;
    out.emplace_back(key, value.get<std::string>());
  }
  return true;
}

Json object_of(const Texts& texts) {
  Json out = Json::object();
  for (const auto& [name, value] : texts) out[name] = value;
  return out;
}

template <class T>
requires std::is_integral_v<T>
bool take(const Json& object, const char* name, T& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_number_integer()) return false;
  const auto wide = found->get<int64_t>();
  out = static_cast<T>(wide);
  return static_cast<int64_t>(out) == wide;
}

bool take(const Json& object, const char* name, std::vector<std::string>& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_array() || found->size() > kMaxMasks) return false;
  for (const Json& item : *found) {
    if (!item.is_string()) return false;
    out.push_back(item.get<std::string>());
  }
  return true;
}

Result<Json> parse_object(std::string_view line) {
  if (line.size() > kMaxAdminLine) return Error("line too long");
  // Depth: a stack overflow by "[[[[..." is not possible, the parser of this library keeps its own stack.
  Json object = Json::parse(line, nullptr, false);
  if (object.is_discarded() || !object.is_object()) return Error("not a JSON object");
  return object;
}

}  // namespace

std::string encode_admin(const AdminRequest& r) {
  Json out{{"v", kAdminVersion}, {"cmd", r.command}};
  if (!r.users.empty()) out["users"] = r.users;
  if (!r.network.empty()) out["network"] = r.network;
  if (!r.backend.empty()) out["backend"] = r.backend;
  if (r.proxied) out["proxied"] = true;
  const std::pair<const char*, std::string_view> texts[] = {
      {"user", r.user}, {"password", r.password.reveal()}, {"service", r.service}, {"rip", r.rip}, {"lip", r.lip}};
  for (const auto& [name, value] : texts)
    if (!value.empty()) out[name] = value;
  return line_of(out);
}

std::string encode_admin(const AdminSession& s) {
  Json out{
      {"user", s.user}, {"service", s.service}, {"session", s.session}, {"rip", s.rip},     {"rport", s.rport},
      {"lip", s.lip},   {"lport", s.lport},     {"pid", s.pid},         {"since", s.since},
  };
  if (!s.host.empty()) {
    out["host"] = s.host;
    out["port"] = s.port;
  }
  return line_of(out);
}

std::string encode_admin(const AdminEnd& e) {
  Json out{{"v", kAdminVersion}, {"status", e.status}, {"count", e.count}};
  if (!e.error.empty()) out["error"] = e.error;
  for (const auto& [name, value] :
       {std::pair("user", &e.user), std::pair("result", &e.result), std::pair("reason", &e.reason)})
    if (!value->empty()) out[name] = *value;
  if (!e.passdb.empty()) out["passdb"] = object_of(e.passdb);
  if (!e.userdb.empty()) out["userdb"] = object_of(e.userdb);
  return line_of(out);
}

Result<AdminRequest> decode_admin_request(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return Error(object.error());
  int version = 0;
  AdminRequest r;
  if (!take(*object, "v", version) || version != kAdminVersion) return Error("v is not 1");
  if (!take(*object, "cmd", r.command) || !take(*object, "users", r.users) || !take(*object, "network", r.network) ||
      !take(*object, "backend", r.backend) || !take(*object, "proxied", r.proxied) || !take(*object, "user", r.user) ||
      !take(*object, "password", r.password) || !take(*object, "service", r.service) || !take(*object, "rip", r.rip) ||
      !take(*object, "lip", r.lip))
    return Error("a member has the wrong type");
  return r;
}

Result<std::variant<AdminSession, AdminEnd>> decode_admin_answer(std::string_view line) {
  using Answer = std::variant<AdminSession, AdminEnd>;
  const auto object = parse_object(line);
  if (!object) return Error(object.error());
  const Error wrong("a member has the wrong type");
  if (object->contains("status")) {
    AdminEnd e;
    if (!take(*object, "status", e.status) || !take(*object, "count", e.count) || !take(*object, "error", e.error) ||
        !take(*object, "user", e.user) || !take(*object, "result", e.result) || !take(*object, "reason", e.reason) ||
        !take(*object, "passdb", e.passdb) || !take(*object, "userdb", e.userdb))
      return wrong;
    return Answer(std::move(e));
  }
  AdminSession s;
  if (!take(*object, "user", s.user) || !take(*object, "service", s.service) || !take(*object, "session", s.session) ||
      !take(*object, "rip", s.rip) || !take(*object, "lip", s.lip) || !take(*object, "host", s.host) ||
      !take(*object, "rport", s.rport) || !take(*object, "lport", s.lport) || !take(*object, "port", s.port) ||
      !take(*object, "pid", s.pid) || !take(*object, "since", s.since))
    return wrong;
  return Answer(std::move(s));
}

}  // namespace postern
