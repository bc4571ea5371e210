#include "proto/proxy_header.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using State = ProxyHeaderResult::State;
using std::string_literals::operator""s;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

// A version 2 header: version and command, family, block.
std::string binary(uint8_t command, uint8_t family, const std::string& block) {
  std::string out = kSignature;
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  out += static_cast<char>(block.size() >> 8);
  out += static_cast<char>(block.size());
  return out + block;
}

const std::string kV4Block = "\x09\x08\x07\x06\x01\x02\x03\x04\x03\x09\x00\x8f"s;  // 9.8.7.6:777 to 1.2.3.4:143

// The whole header parses, and so does every part of it, as incomplete; nothing behind it changes that.
ProxyHeader complete(const std::string& bytes) {
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(parse_proxy_header(std::string_view(bytes).substr(0, n)).state, State::Incomplete) << "cut at " << n;
  for (const std::string& behind : {""s, "* CLIENT\r\n"s, "\x16\x03\x01"s}) {
    const ProxyHeaderResult r = parse_proxy_header(bytes + behind);
    EXPECT_EQ(r.state, State::Complete) << r.why;
    EXPECT_EQ(r.size, bytes.size());
  }
  return parse_proxy_header(bytes).header;
}

void expect_broken(const std::string& bytes, std::string_view why) {
  const ProxyHeaderResult r = parse_proxy_header(bytes);
  EXPECT_EQ(r.state, State::Broken) << bytes;
  EXPECT_EQ(r.why, why) << bytes;
}

TEST(ProxyHeader, ReadsVersion1) {
  const ProxyHeader h = complete("PROXY TCP4 9.8.7.6 1.2.3.4 777 143\r\n");
  EXPECT_TRUE(h.forwarded);
  EXPECT_EQ(h.remote.text(), "9.8.7.6:777");
  EXPECT_EQ(h.local.text(), "1.2.3.4:143");
  EXPECT_FALSE(h.tls);
  EXPECT_EQ(complete("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n").remote.text(), "[2001:db8::1]:65535");
}

TEST(ProxyHeader, UnknownAndLocalKeepTheConnectionsAddresses) {
  EXPECT_FALSE(complete("PROXY UNKNOWN\r\n").forwarded);
  EXPECT_FALSE(complete("PROXY UNKNOWN ffff:f::1 ffff::1 65535 65535\r\n").forwarded);
  EXPECT_FALSE(complete(binary(0x20, 0x00, "")).forwarded);
  EXPECT_FALSE(complete(binary(0x20, 0x11, kV4Block)).forwarded);               // LOCAL: the block is skipped
  EXPECT_FALSE(complete(binary(0x21, 0x00, "whatever")).forwarded);             // unspecified
  EXPECT_FALSE(complete(binary(0x21, 0x31, std::string(216, 'x'))).forwarded);  // unix sockets
}

TEST(ProxyHeader, ReadsVersion2) {
  const ProxyHeader h = complete(binary(0x21, 0x11, kV4Block));
  EXPECT_TRUE(h.forwarded);
  EXPECT_EQ(h.remote.text(), "9.8.7.6:777");
  EXPECT_EQ(h.local.text(), "1.2.3.4:143");
  const std::string v6 =
      "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x02";
  EXPECT_EQ(complete(binary(0x21, 0x21, v6 + "\x03\x09\x00\x8f"s)).local.text(), "[2001:db8::2]:143");
}

TEST(ProxyHeader, ReadsNameAndTls) {
  const std::string name = "\x02\x00\x0cmail.example"s, noop = "\x04\x00\x03xyz"s;
  const std::string tls = "\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"s,
                    clear = "\x20\x00\x05\x00\x00\x00\x00\x01"s;
  const ProxyHeader h = complete(binary(0x21, 0x11, kV4Block + noop + name + tls));
  EXPECT_EQ(h.authority, "mail.example");
  EXPECT_TRUE(h.tls);
  EXPECT_FALSE(complete(binary(0x21, 0x11, kV4Block + clear)).tls);
  EXPECT_FALSE(complete(binary(0x20, 0x11, kV4Block + tls)).tls);  // LOCAL says nothing of a client
}

TEST(ProxyHeader, RefusesWhatIsNone) {
  expect_broken("HELLO WORLD, THIS IS NOT A HEADER\r\n", "not a PROXY header");
  expect_broken("A", "not a PROXY header");
  expect_broken("PROXY\r", "not a PROXY header");
  expect_broken("\r\n\r\n\0\r\nQUIx"s, "not a PROXY header");
  expect_broken("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "unknown protocol");
  expect_broken("PROXY \r\n", "unknown protocol");
  expect_broken("PROXY TCP4 9.8.7.6 1.2.3.4 777 143\n", "no CRLF at the end of the line");
  expect_broken("PROXY \n", "no CRLF at the end of the line");
  expect_broken("PROXY TCP4 9.8.7.6 1.2.3.4 777\r\n", "wrong number of words");
  expect_broken("PROXY TCP4  9.8.7.6 1.2.3.4 777 143\r\n", "wrong number of words");
  expect_broken("PROXY TCP4 9.8.7.600 1.2.3.4 777 143\r\n", "invalid address");
  expect_broken("PROXY TCP4 ::1 ::1 777 143\r\n", "invalid address");
  expect_broken("PROXY TCP6 1.2.3.4 ::1 777 143\r\n", "invalid address");
  expect_broken("PROXY TCP6 [::1] ::1 777 143\r\n", "invalid address");
  expect_broken("PROXY TCP4 9.8.7.6 1.2.3.4 65536 143\r\n", "invalid port");
  expect_broken("PROXY TCP4 9.8.7.6 1.2.3.4 000777 143\r\n", "invalid port");
  expect_broken(kSignature + "\x11", "unknown version or command");
  expect_broken(kSignature + "\x22", "unknown version or command");
  expect_broken(binary(0x21, 0x12, kV4Block), "unknown family or transport");  // UDP
  expect_broken(binary(0x21, 0x11, kV4Block.substr(1)), "addresses too short");
}

TEST(ProxyHeader, RefusesMalformedFields) {
  for (const std::string& field : {"\x02"s, "\x02\x00"s,
                                   "\x02\x00\x05"
                                   "abc"s,
                                   "\x02\x00\x00"s, "\x20\x00\x04\x01\x00\x00\x00"s})
    expect_broken(binary(0x21, 0x11, kV4Block + field), "malformed field");
}

TEST(ProxyHeader, IsBounded) {
  const std::string longest = "PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n";
  ASSERT_EQ(longest.size(), 107u);
  complete(longest);
  EXPECT_EQ(parse_proxy_header("PROXY UNKNOWN " + std::string(92, 'x')).state, State::Incomplete);
  expect_broken("PROXY UNKNOWN " + std::string(93, 'x'), "line too long");
  EXPECT_EQ(parse_proxy_header(binary(0x20, 0x00, std::string(kMaxProxyHeader - 16, 'x'))).state, State::Complete);
  expect_broken(kSignature + "\x20" + "\0\x0f\xf1"s, "header too long");
}

// What we write is what we read.
void expect_round_trip(ProxyHeaderVersion version, const ProxyHeader& h) {
  const ProxyHeader back = complete(encode_proxy_header(version, h));
  EXPECT_EQ(back.forwarded, h.forwarded);
  EXPECT_EQ(back.remote, h.remote);
  EXPECT_EQ(back.local, h.local);
}

TEST(ProxyHeader, WritesWhatItReads) {
  ProxyHeader v4, v6;
  v4.forwarded = v6.forwarded = true;
  v4.remote = {*IpAddress::parse("192.0.2.1"), 50000};
  v4.local = {*IpAddress::parse("192.0.2.2"), 993};
  v6.remote = {*IpAddress::parse("2001:db8::1"), 1};
  v6.local = {*IpAddress::parse("2001:db8::2"), 65535};
  for (const auto version : {ProxyHeaderVersion::V1, ProxyHeaderVersion::V2})
    for (const ProxyHeader& h : {v4, v6, ProxyHeader()}) expect_round_trip(version, h);
  EXPECT_EQ(encode_proxy_header(ProxyHeaderVersion::V1, v4), "PROXY TCP4 192.0.2.1 192.0.2.2 50000 993\r\n");
  v4.tls = true;
  v4.authority = "mail.example";
  const ProxyHeader told = complete(encode_proxy_header(ProxyHeaderVersion::V2, v4));
  EXPECT_TRUE(told.tls);
  EXPECT_EQ(told.authority, "mail.example");
}

TEST(ProxyHeader, TwoFamiliesCannotBeTold) {
  ProxyHeader h;
  h.forwarded = true;
  h.remote = {*IpAddress::parse("192.0.2.1"), 50000};
  h.local = {*IpAddress::parse("2001:db8::2"), 993};
  EXPECT_EQ(encode_proxy_header(ProxyHeaderVersion::V1, h), "PROXY UNKNOWN\r\n");
  EXPECT_FALSE(complete(encode_proxy_header(ProxyHeaderVersion::V2, h)).forwarded);
}

}  // namespace
}  // namespace postern
