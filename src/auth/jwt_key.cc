#include "auth/jwt_key.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

namespace postern {

namespace {

constexpr JwtAlgorithm kAlgorithms[] = {
    {"HS256", JwtFamily::Hmac, "SHA256", 32, ""},        {"HS384", JwtFamily::Hmac, "SHA384", 48, ""},
    {"HS512", JwtFamily::Hmac, "SHA512", 64, ""},        {"RS256", JwtFamily::Rsa, "SHA256", 0, ""},
    {"RS384", JwtFamily::Rsa, "SHA384", 0, ""},          {"RS512", JwtFamily::Rsa, "SHA512", 0, ""},
    {"PS256", JwtFamily::RsaPss, "SHA256", 0, ""},       {"PS384", JwtFamily::RsaPss, "SHA384", 0, ""},
    {"PS512", JwtFamily::RsaPss, "SHA512", 0, ""},       {"ES256", JwtFamily::Ec, "SHA256", 32, "prime256v1"},
    {"ES384", JwtFamily::Ec, "SHA384", 48, "secp384r1"}, {"ES512", JwtFamily::Ec, "SHA512", 66, "secp521r1"},
};

struct CurveRow {
  std::string_view name, openssl;
  size_t size;
};
constexpr CurveRow kCurves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Decoder = std::unique_ptr<OSSL_DECODER_CTX, Freed<OSSL_DECODER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

// What failed here must not be found in OpenSSL's queue by the TLS of somebody else in this thread.
struct ErrorsEndHere {
  ~ErrorsEndHere() { ERR_clear_error(); }
};

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Number number(std::string_view text) { return Number(BN_bin2bn(bytes(text), static_cast<int>(text.size()), nullptr)); }

// Null when OpenSSL takes them for no key of that type.
EVP_PKEY* build(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  return EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1 ? key : nullptr;
}

// r and s, each of a fixed size (RFC 7518 section 3.4), as OpenSSL wants them.
std::string ecdsa_der(std::string_view raw, size_t size) {
  if (raw.size() != 2 * size) return {};
  const Signature pair(ECDSA_SIG_new());
  Number r = number(raw.substr(0, size)), s = number(raw.substr(size));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  r.release(), s.release();
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(pair.get(), &der);
  std::string out(reinterpret_cast<const char*>(der), length > 0 ? static_cast<size_t>(length) : 0);
  OPENSSL_free(der);
  return out;
}

}  // namespace

const JwtAlgorithm* find_jwt_algorithm(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                                   [&](const JwtAlgorithm& a) { return a.name == name; });
  return found == std::end(kAlgorithms) ? nullptr : found;
}

Result<JwtKey> JwtKey::from_pem(std::string_view pem) {
  const ErrorsEndHere clean;
  EVP_PKEY* key = nullptr;
  const Decoder decoder(
      OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", nullptr, nullptr, EVP_PKEY_PUBLIC_KEY, nullptr, nullptr));
  const unsigned char* at = bytes(pem);
  size_t left = pem.size();
  if (!decoder || OSSL_DECODER_from_data(decoder.get(), &at, &left) != 1 || key == nullptr)
    return Error("is no public key in PEM");
  return from_public(key);
}

Result<JwtKey> JwtKey::from_secret(SecretString secret) {
  if (secret.empty()) return Error("is an empty key");
  JwtKey out;
  out.secret_ = std::move(secret);
  return out;
}

Result<JwtKey> JwtKey::from_rsa(std::string_view n, std::string_view e) {
  const ErrorsEndHere clean;
  const Builder builder(OSSL_PARAM_BLD_new());
  const Number modulus = number(n), exponent = number(e);
  const bool sizes = !n.empty() && n.size() <= kMaxRsaBits / 8 && !e.empty() && e.size() <= 8;
  if (!builder || !modulus || !exponent || !sizes || BN_is_zero(exponent.get()) || BN_is_one(exponent.get()))
    return Error("is no RSA key");
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  EVP_PKEY* key = build("RSA", builder.get());
  if (key == nullptr) return Error("is no RSA key");
  return from_public(key);
}

Result<JwtKey> JwtKey::from_ec(std::string_view curve, std::string_view x, std::string_view y) {
  const ErrorsEndHere clean;
  const auto* row =
      std::find_if(std::begin(kCurves), std::end(kCurves), [&](const CurveRow& r) { return r.name == curve; });
  if (row == std::end(kCurves)) return Error("its curve is none of P-256, P-384, P-521");
  if (x.size() != row->size || y.size() != row->size) return Error("its coordinates have not the curve's size");
  const Builder builder(OSSL_PARAM_BLD_new());
  const std::string point = std::string("\x04").append(x).append(y);  // uncompressed
  if (!builder) return Error("is no EC key");
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, row->openssl.data(), row->openssl.size());
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  EVP_PKEY* key = build("EC", builder.get());
  if (key == nullptr) return Error("is no point on its curve");
  return from_public(key);
}

Result<JwtKey> JwtKey::from_public(evp_pkey_st* taken) {
  JwtKey out;
  out.public_ = std::shared_ptr<EVP_PKEY>(taken, EVP_PKEY_free);
  if (EVP_PKEY_is_a(taken, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(taken);
    if (bits < kMinRsaBits || bits > kMaxRsaBits)
      return Error("is an RSA key of " + std::to_string(bits) + " bits; accepted: " + std::to_string(kMinRsaBits) +
                   " to " + std::to_string(kMaxRsaBits));
    return out;
  }
  std::array<char, 64> curve{};
  size_t length = 0;
  if (EVP_PKEY_is_a(taken, "EC") != 1 || EVP_PKEY_get_group_name(taken, curve.data(), curve.size(), &length) != 1)
    return Error("is neither an RSA nor an EC key");
  const KeyContext context(EVP_PKEY_CTX_new(taken, nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) return Error("is no point on its curve");
  out.curve_.assign(curve.data(), length);
  return out;
}

bool JwtKey::serves(const JwtAlgorithm& algorithm) const {
  switch (algorithm.family) {
    case JwtFamily::Hmac: return !public_ && secret_.size() >= algorithm.size;
    case JwtFamily::Ec: return public_ && !curve_.empty() && curve_ == algorithm.curve;
    case JwtFamily::Rsa:
    case JwtFamily::RsaPss: return public_ && curve_.empty();
  }
  return false;
}

bool JwtKey::verifies(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const {
  const ErrorsEndHere clean;
  if (!serves(algorithm)) return false;
  return public_ ? verifies_public(algorithm, text, signature) : verifies_hmac(algorithm, text, signature);
}

bool JwtKey::verifies_hmac(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned length = 0;
  const std::string name(algorithm.digest);
  const std::string_view secret = secret_.reveal();
  if (HMAC(EVP_get_digestbyname(name.c_str()), secret.data(), static_cast<int>(secret.size()), bytes(text), text.size(),
           made.data(), &length) == nullptr)
    return false;
  return equal_constant_time({reinterpret_cast<const char*>(made.data()), length}, signature);
}

bool JwtKey::verifies_public(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const {
  const std::string der =
      algorithm.family == JwtFamily::Ec ? ecdsa_der(signature, algorithm.size) : std::string(signature);
  const std::string name(algorithm.digest);
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;  // the context's own
  if (!context || der.empty() ||
      EVP_DigestVerifyInit_ex(context.get(), &padding, name.c_str(), nullptr, nullptr, public_.get(), nullptr) != 1)
    return false;
  if (algorithm.family == JwtFamily::RsaPss && (EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) != 1 ||
                                                EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) != 1))
    return false;
  return EVP_DigestVerify(context.get(), bytes(der), der.size(), bytes(text), text.size()) == 1;
}

}  // namespace postern
