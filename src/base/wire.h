// Primitive fields in a byte string: the one codec of messages between processes and of settings slices.
// Integers are little-endian and fixed in width, strings carry a 32-bit length. A struct takes part by
// having `auto fields() { return std::tie(...); }`.
#ifndef POSTERN_BASE_WIRE_H
#define POSTERN_BASE_WIRE_H

#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/secret.h"

namespace postern {

template <class T>
concept HasFields = requires(T& t) {
  t.fields();
};
// Enumerations end with kCount: a number beyond is no value of theirs.
template <class T>
concept CountedEnum = std::is_enum_v<T> && requires {
  T::kCount;
};

// Appends fields to a byte string.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(const T& v) {
    char raw[sizeof v];
    memcpy(raw, &v, sizeof v);
    out_.append(raw, sizeof v);
  }
  void put(std::string_view s) {
    put(static_cast<uint32_t>(s.size()));
    out_.append(s);
  }
  void put(const std::string& s) { put(std::string_view(s)); }
  void put(const SecretString& s) { put(s.reveal()); }
  void put(const IpAddress& ip) { put(ip.bytes()); }
  void put(const Endpoint& e) {
    put(e.ip);
    put(e.port);
  }
  void put(const Network& n) {
    put(n.base);
    put(n.bits);
  }
  template <class R, class P>
  void put(const std::chrono::duration<R, P>& d) {
    put(static_cast<int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()));
  }
  void put(std::monostate) {}
  template <class A, class B>
  void put(const std::pair<A, B>& p) {
    put(p.first);
    put(p.second);
  }
  template <class T>
  void put(const std::vector<T>& v) {
    put(static_cast<uint32_t>(v.size()));
    for (const T& e : v) put(e);
  }
  template <class K, class V>
  void put(const std::map<K, V>& m) {
    put(static_cast<uint32_t>(m.size()));
    for (const auto& e : m) put(e);
  }
  template <class T>
  void put(const std::optional<T>& o) {
    put(static_cast<uint8_t>(o ? 1 : 0));
    if (o) put(*o);
  }
  template <class... T>
  void put(const std::variant<T...>& v) {
    put(static_cast<uint8_t>(v.index()));
    std::visit([this](const auto& e) { put(e); }, v);
  }
  template <HasFields T>
  void put(const T& t) {
    std::apply([this](const auto&... f) { (put(f), ...); }, const_cast<T&>(t).fields());
  }

 private:
  std::string& out_;
};

// Takes fields from a byte string. After the first short or malformed field ok() is false and the rest
// is left as it was; sizes are checked against what is there before anything is allocated.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }

  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void get(T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      uint8_t raw = 0;
      get(raw);
      if (raw > 1) ok_ = false;
      v = raw == 1;
    } else {
      const std::string_view raw = take(sizeof v);
      if (!ok_) return;
      T taken;
      memcpy(&taken, raw.data(), sizeof taken);
      if constexpr (CountedEnum<T>) {
        if (taken >= T::kCount) {
          ok_ = false;
          return;
        }
      }
      v = taken;
    }
  }
  void get(std::string& s) { s = take_string(); }
  void get(SecretString& s) { s = SecretString(take_string()); }
  void get(IpAddress& ip) {
    const std::string_view raw = take_string();
    ip = IpAddress::from_bytes(raw);
    if (!raw.empty() && ip.is_none()) ok_ = false;
  }
  void get(Endpoint& e) {
    get(e.ip);
    get(e.port);
  }
  void get(Network& n) {
    get(n.base);
    get(n.bits);
    if (n.bits > n.base.bytes().size() * 8) ok_ = false;
  }
  template <class R, class P>
  void get(std::chrono::duration<R, P>& d) {
    int64_t ms = 0;
    get(ms);
    d = std::chrono::duration_cast<std::chrono::duration<R, P>>(std::chrono::milliseconds(ms));
  }
  void get(std::monostate&) {}
  template <class A, class B>
  void get(std::pair<A, B>& p) {
    get(p.first);
    get(p.second);
  }
  template <class T>
  void get(std::vector<T>& v) {
    const uint32_t count = take_count();
    v.clear();
    for (uint32_t i = 0; ok_ && i < count; ++i) get(v.emplace_back());
  }
  template <class K, class V>
  void get(std::map<K, V>& m) {
    const uint32_t count = take_count();
    m.clear();
    for (uint32_t i = 0; ok_ && i < count; ++i) {
      std::pair<K, V> e;
      get(e);
      m.insert(std::move(e));
    }
  }
  template <class T>
  void get(std::optional<T>& o) {
    bool there = false;
    get(there);
    o.reset();
    if (ok_ && there) get(o.emplace());
  }
  template <class... T>
  void get(std::variant<T...>& v) {
    uint8_t index = 0;
    get(index);
    if (ok_ && index >= sizeof...(T)) ok_ = false;
    if (ok_) get_alternative(v, index, std::index_sequence_for<T...>{});
  }
  template <HasFields T>
  void get(T& t) {
    std::apply([this](auto&... f) { (get(f), ...); }, t.fields());
  }

 private:
  std::string_view take(size_t size) {
    if (!ok_ || in_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  std::string_view take_string() {
    uint32_t size = 0;
    get(size);
    return take(size);
  }
  uint32_t take_count() {
    uint32_t count = 0;
    get(count);
    if (count > in_.size()) ok_ = false;  // every element has at least one byte
    return ok_ ? count : 0;
  }
  template <class V, size_t... I>
  void get_alternative(V& v, size_t index, std::index_sequence<I...>) {
    ((I == index ? get(v.template emplace<I>()) : void()), ...);
  }

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace postern

#endif
