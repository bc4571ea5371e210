#include "auth/penalty.h"

#include <algorithm>

namespace postern {

namespace {

using std::chrono::seconds;

constexpr seconds kDelays[] = {seconds(0), seconds(4), seconds(8), seconds(15), seconds(15)};
constexpr uint8_t kMaxLevel = std::size(kDelays) - 1;
constexpr seconds kDecay{15}, kForget{29};
constexpr size_t kAttempts = 10;
constexpr size_t kSubnets = 8;  // of a /48 that failed: it is one customer's

// An IPv4 address, or the /64 that IPv6 users get.
std::string key_of(const IpAddress& ip) {
  return std::string(ip.bytes().substr(0, ip.family() == IpAddress::Family::V6 ? 8 : 4));
}
std::string wide_key_of(const IpAddress& ip) { return std::string(ip.bytes().substr(0, 6)); }

uint64_t subnet_of(const IpAddress& ip) {
  const std::string_view b = ip.bytes();
  return static_cast<uint64_t>(static_cast<unsigned char>(b[6])) << 8 | static_cast<unsigned char>(b[7]);
}

// Whether `mark` is among the last `limit`; it is remembered.
bool seen_before(std::vector<uint64_t>& marks, uint64_t mark, size_t limit) {
  if (std::find(marks.begin(), marks.end(), mark) != marks.end()) return true;
  if (marks.size() >= limit) marks.erase(marks.begin());
  marks.push_back(mark);
  return false;
}

}  // namespace

Milliseconds Penalty::delay_of(const std::string& key, Instant now) const {
  const auto found = records_.find(key);
  if (found == records_.end() || now - found->second.last >= kDecay) return Milliseconds(0);
  return kDelays[found->second.level];
}

Milliseconds Penalty::delay(const IpAddress& ip, Instant now) const {
  if (ip.family() != IpAddress::Family::V6) return delay_of(key_of(ip), now);
  return std::max(delay_of(key_of(ip), now), delay_of(wide_key_of(ip), now));
}

std::string Penalty::key(const IpAddress& ip, Instant now) const {
  const bool wide = ip.family() == IpAddress::Family::V6 && delay_of(wide_key_of(ip), now).count() > 0;
  return wide ? wide_key_of(ip) : key_of(ip);
}

Instant Penalty::ends_at(const IpAddress& ip, Instant now) const {
  const auto found = records_.find(key(ip, now));
  return found == records_.end() || delay(ip, now).count() == 0 ? now : found->second.last + kDecay;
}

bool Penalty::failed(const IpAddress& ip, uint64_t attempt, Instant now) {
  if (ip.is_none()) return false;
  forget_old(now);
  Record& record = touch(key_of(ip), now);
  if (attempt != 0 && seen_before(record.attempts, attempt, kAttempts)) return false;
  raise(record, now);
  if (ip.family() == IpAddress::Family::V6) widen(ip, now);
  return true;
}

void Penalty::widen(const IpAddress& ip, Instant now) {
  Record& record = touch(wide_key_of(ip), now);
  if (record.subnets.size() < kSubnets) seen_before(record.subnets, subnet_of(ip), kSubnets);
  if (record.subnets.size() >= kSubnets) return raise(record, now);
  record.last = now;
}

void Penalty::raise(Record& record, Instant now) {
  if (now - record.last >= kDecay) record.level = 0;
  record.level = std::min<uint8_t>(record.level + 1, kMaxLevel);
  record.last = now;
}

void Penalty::succeeded(const IpAddress& ip) {
  const auto found = records_.find(key_of(ip));
  if (found != records_.end()) found->second.level = 0;
}

Penalty::Record& Penalty::touch(const std::string& key, Instant now) {
  const auto [at, is_new] = records_.try_emplace(key);
  if (is_new) {
    at->second.last = now;
    at->second.age = ages_.insert(ages_.end(), key);
  } else {
    ages_.splice(ages_.end(), ages_, at->second.age);
  }
  return at->second;
}

void Penalty::forget_old(Instant now) {
  // A failure makes two records at most.
  while (!ages_.empty() && (records_.size() + 2 > max_records_ || now - records_[ages_.front()].last >= kForget)) {
    records_.erase(ages_.front());
    ages_.pop_front();
  }
}

}  // namespace postern
