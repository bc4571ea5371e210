#include "proto/proxy_header.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace postern {

namespace {

using Result = ProxyHeaderResult;
using State = ProxyHeaderResult::State;

constexpr std::string_view kWord = "PROXY ";
constexpr size_t kMaxLine = 107;  // with CRLF
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedPart = 16;
constexpr uint8_t kLocal = 0x20, kProxy = 0x21;  // version 2 and command
constexpr uint8_t kTypeAuthority = 0x02, kTypeTls = 0x20;
constexpr uint8_t kClientTls = 0x01;
constexpr size_t kTlvHead = 3, kTlsHead = 5;

Result broken(std::string_view why) { return {.state = State::Broken, .header = {}, .why = why}; }

bool begins_like(std::string_view input, std::string_view word) {
  const size_t n = std::min(input.size(), word.size());
  return input.substr(0, n) == word.substr(0, n);
}

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }
uint16_t number_at(std::string_view text, size_t at) {
  return static_cast<uint16_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}
void put_number(std::string& out, size_t number) {
  (out += static_cast<char>(number >> 8)) += static_cast<char>(number);
}

// --- version 1 ---------------------------------------------------------------

std::optional<uint16_t> port_of(std::string_view text) {
  const auto number = parse_number(text, 65535);
  if (!number || text.size() > 5) return std::nullopt;
  return static_cast<uint16_t>(*number);
}

Result parse_words(std::string_view line, size_t size) {
  const auto words = split_fields(line, ' ');
  Result out{.state = State::Complete, .size = size, .header = {}, .why = {}};
  if (words[0] == "UNKNOWN") return out;  // whatever follows
  const bool v4 = words[0] == "TCP4";
  if (!v4 && words[0] != "TCP6") return broken("unknown protocol");
  if (words.size() != 5) return broken("wrong number of words");
  const auto remote = IpAddress::parse(words[1]), local = IpAddress::parse(words[2]);
  const auto remote_port = port_of(words[3]), local_port = port_of(words[4]);
  const auto fits = [v4](std::string_view text) {
    return (text.find(':') == std::string_view::npos) == v4 && text[0] != '[';
  };
  if (!remote || !local || !fits(words[1]) || !fits(words[2])) return broken("invalid address");
  if (!remote_port || !local_port) return broken("invalid port");
  out.header.forwarded = true;
  out.header.remote = {*remote, *remote_port};
  out.header.local = {*local, *local_port};
  return out;
}

Result parse_line(std::string_view input) {
  const std::string_view start = input.substr(0, kMaxLine);
  const size_t end = start.find('\n');
  if (end == std::string_view::npos) return input.size() >= kMaxLine ? broken("line too long") : Result{};
  if (start[end - 1] != '\r') return broken("no CRLF at the end of the line");
  return parse_words(start.substr(kWord.size(), end - 1 - kWord.size()), end + 1);
}

// --- version 2 ---------------------------------------------------------------

struct Family {
  uint8_t code;    // family and transport
  size_t address;  // bytes of one address; 0: not told
};
constexpr Family kFamilies[] = {{0x00, 0}, {0x11, 4}, {0x21, 16}, {0x31, 0}};

void take_authority(std::string_view value, ProxyHeader& header) { header.authority = value; }

void take_tls(std::string_view value, ProxyHeader& header) { header.tls = (byte_at(value, 0) & kClientTls) != 0; }

struct Tlv {
  uint8_t type;
  size_t minimum;
  void (*take)(std::string_view value, ProxyHeader& header);
};
constexpr Tlv kTlvs[] = {{kTypeAuthority, 1, take_authority}, {kTypeTls, kTlsHead, take_tls}};

bool take_tlv(uint8_t type, std::string_view value, ProxyHeader& header) {
  for (const Tlv& tlv : kTlvs) {
    if (tlv.type != type) continue;
    if (value.size() < tlv.minimum) return false;
    tlv.take(value, header);
  }
  return true;
}

bool take_tlvs(std::string_view rest, ProxyHeader& header) {
  while (!rest.empty()) {
    if (rest.size() < kTlvHead) return false;
    const size_t size = number_at(rest, 1);
    if (rest.size() < kTlvHead + size) return false;
    if (!take_tlv(byte_at(rest, 0), rest.substr(kTlvHead, size), header)) return false;
    rest.remove_prefix(kTlvHead + size);
  }
  return true;
}

Result take_block(const Family& family, std::string_view block, size_t size) {
  Result out{.state = State::Complete, .size = size, .header = {}, .why = {}};
  const size_t n = family.address;
  if (n == 0) return out;
  if (block.size() < 2 * n + 4) return broken("addresses too short");
  out.header.forwarded = true;
  out.header.remote = {IpAddress::from_bytes(block.substr(0, n)), number_at(block, 2 * n)};
  out.header.local = {IpAddress::from_bytes(block.substr(n, n)), number_at(block, 2 * n + 2)};
  if (!take_tlvs(block.substr(2 * n + 4), out.header)) return broken("malformed field");
  return out;
}

Result parse_binary(std::string_view input) {
  if (input.size() <= kSignature.size()) return {};
  const uint8_t command = byte_at(input, kSignature.size());
  if (command != kLocal && command != kProxy) return broken("unknown version or command");
  if (input.size() < kFixedPart) return {};
  const size_t size = kFixedPart + number_at(input, kFixedPart - 2);
  if (size > kMaxProxyHeader) return broken("header too long");
  if (input.size() < size) return {};
  if (command == kLocal) return {.state = State::Complete, .size = size, .header = {}, .why = {}};
  for (const Family& family : kFamilies)
    if (family.code == byte_at(input, kFixedPart - 3))
      return take_block(family, input.substr(kFixedPart, size - kFixedPart), size);
  return broken("unknown family or transport");
}

// --- writing -----------------------------------------------------------------

bool can_tell(const ProxyHeader& h) {
  return h.forwarded && !h.remote.ip.is_none() && h.remote.ip.family() == h.local.ip.family();
}

std::string encode_line(const ProxyHeader& h) {
  if (!can_tell(h)) return "PROXY UNKNOWN\r\n";
  const std::string_view protocol = h.remote.ip.family() == IpAddress::Family::V4 ? "TCP4 " : "TCP6 ";
  return std::string(kWord).append(protocol) + h.remote.ip.text() + ' ' + h.local.ip.text() + ' ' +
         std::to_string(h.remote.port) + ' ' + std::to_string(h.local.port) + "\r\n";
}

void append_tlv(std::string& out, uint8_t type, std::string_view value) {
  out += static_cast<char>(type);
  put_number(out, value.size());
  out += value;
}

std::string encode_block(const ProxyHeader& h) {
  std::string block;
  (block += h.remote.ip.bytes()) += h.local.ip.bytes();
  put_number(block, h.remote.port);
  put_number(block, h.local.port);
  if (!h.authority.empty()) append_tlv(block, kTypeAuthority, std::string_view(h.authority).substr(0, 255));
  // Flags, then "not verified" (the client showed no certificate), as HAProxy sends it.
  if (h.tls) append_tlv(block, kTypeTls, std::string_view("\x01\0\0\0\1", kTlsHead));
  return block;
}

std::string encode_binary(const ProxyHeader& h) {
  const std::string block = can_tell(h) ? encode_block(h) : "";
  std::string out(kSignature);
  out += static_cast<char>(kProxy);
  out += static_cast<char>(block.empty() ? 0x00 : h.remote.ip.family() == IpAddress::Family::V4 ? 0x11 : 0x21);
  put_number(out, block.size());
  return out + block;
}

}  // namespace

ProxyHeaderResult parse_proxy_header(std::string_view input) {
  if (input.empty()) return {};
  if (begins_like(input, kWord)) return input.size() < kWord.size() ? Result{} : parse_line(input);
  if (begins_like(input, kSignature)) return parse_binary(input);
  return broken("not a PROXY header");
}

std::string encode_proxy_header(ProxyHeaderVersion version, const ProxyHeader& header) {
  return version == ProxyHeaderVersion::V1 ? encode_line(header) : encode_binary(header);
}

}  // namespace postern
