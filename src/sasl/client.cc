#include "sasl/client.h"

#include <initializer_list>

#include "base/text.h"

namespace postern {

namespace {

using Response = std::optional<SecretString>;

SecretString joined(std::initializer_list<std::string_view> parts) {
  SecretString all;
  for (std::string_view part : parts) all.append(part);
  return all;
}

constexpr std::string_view kNul{"\0", 1};

Response plain(unsigned round, std::string_view, const ClientCredentials& who) {
  if (round > 0) return std::nullopt;
  return joined({who.authzid, kNul, who.authid, kNul, who.password});
}

// The prompts differ between servers ("User Name", "Username:"): their order is what counts.
Response login(unsigned round, std::string_view, const ClientCredentials& who) {
  if (round > 1) return std::nullopt;
  return SecretString(round == 0 ? who.authid : who.password);
}

Response external(unsigned round, std::string_view, const ClientCredentials& who) {
  if (round > 0) return std::nullopt;
  return SecretString(who.authzid);
}

// Both token mechanisms: a second challenge is the server's error document; once answered, the server says no.
Response xoauth2(unsigned round, std::string_view, const ClientCredentials& who) {
  if (round > 1) return std::nullopt;
  if (round == 1) return SecretString();
  return joined({"user=", who.authzid, "\1auth=Bearer ", who.password, "\1\1"});
}

// A comma or equals sign in a GS2 name is written =2C, =3D (RFC 5801 section 4).
SecretString gs2_name(std::string_view name) {
  SecretString out;
  for (char c : name) out.append(c == ',' ? "=2C" : c == '=' ? "=3D" : std::string_view(&c, 1));
  return out;
}

Response oauthbearer(unsigned round, std::string_view, const ClientCredentials& who) {
  if (round > 1) return std::nullopt;
  if (round == 1) return SecretString("\1");  // RFC 7628 section 3.2.3
  return joined({"n,a=", gs2_name(who.authzid).reveal(), ",\1auth=Bearer ", who.password, "\1\1"});
}

}  // namespace

struct ClientMechanism::Row {
  std::string_view name;
  bool client_first;
  Response (*respond)(unsigned round, std::string_view challenge, const ClientCredentials& who);  // null: SCRAM
  ScramHash hash = ScramHash::Sha256;
  bool needs_password = true;
};

const ClientMechanism::Row ClientMechanism::kRows[] = {
    {"PLAIN", true, plain},
    {"LOGIN", false, login},
    {"EXTERNAL", true, external, ScramHash::Sha256, false},
    {"XOAUTH2", true, xoauth2},
    {"OAUTHBEARER", true, oauthbearer},
    {"SCRAM-SHA-256", true, nullptr},
    {"SCRAM-SHA-1", true, nullptr, ScramHash::Sha1},
};

std::optional<ClientMechanism> ClientMechanism::make(std::string_view name) {
  for (const Row& row : kRows) {
    if (!iequals(row.name, name)) continue;
    ClientMechanism made;
    made.row_ = &row;
    if (row.respond == nullptr) made.scram_.emplace(row.hash);
    return made;
  }
  return std::nullopt;
}

bool ClientMechanism::client_first() const { return row_ != nullptr && row_->client_first; }

std::optional<SecretString> ClientMechanism::step(std::string_view challenge, const ClientCredentials& who) {
  if (row_ == nullptr) return std::nullopt;
  return scram_ ? scram_step(challenge, who) : row_->respond(round_++, challenge, who);
}

// The first message, the proof, and nothing to say to the server's own proof.
std::optional<SecretString> ClientMechanism::scram_step(std::string_view challenge, const ClientCredentials& who) {
  switch (round_++) {
    case 0: return SecretString(scram_->first(who.authzid, who.authid, ScramClient::make_nonce()));
    case 1: return scram_->prove(challenge, who.password);
    case 2:
      server_proved_ = scram_->confirms(challenge);
      return server_proved_ ? std::optional(SecretString()) : std::nullopt;
    default: return std::nullopt;
  }
}

bool ClientMechanism::confirmed(std::string_view data) const {
  return !scram_ || server_proved_ || scram_->confirms(data);
}

bool ClientMechanism::needs_password() const { return row_ == nullptr || row_->needs_password; }

}  // namespace postern
