#include "sasl/gnu_sasl.h"

#include <gsasl.h>

#include <iterator>

#include "base/check.h"
#include "base/secret.h"

namespace postern {

namespace {

// It may answer to any principal of the realm; what that one may do is for the caller to say.
int on_question(Gsasl*, Gsasl_session*, Gsasl_property question) {
  return question == GSASL_VALIDATE_GSSAPI ? GSASL_OK : GSASL_NO_CALLBACK;
}

Gsasl* library() {
  static Gsasl* const handle = [] {
    Gsasl* made = nullptr;
    POSTERN_CHECK(gsasl_init(&made) == GSASL_OK, "GNU SASL failed to start");
    gsasl_callback_set(made, on_question);
    return made;
  }();
  return handle;
}

constexpr Gsasl_property kProperties[] = {GSASL_AUTHID,          GSASL_AUTHZID,       GSASL_PASSWORD,
                                          GSASL_REALM,           GSASL_QOPS,          GSASL_DIGEST_MD5_HASHED_PASSWORD,
                                          GSASL_SCRAM_ITER,      GSASL_SCRAM_SALT,    GSASL_SCRAM_STOREDKEY,
                                          GSASL_SCRAM_SERVERKEY, GSASL_CB_TLS_UNIQUE, GSASL_CB_TLS_EXPORTER,
                                          GSASL_SERVICE,         GSASL_HOSTNAME,      GSASL_GSSAPI_DISPLAY_NAME};
static_assert(std::size(kProperties) == static_cast<size_t>(GnuExchange::Property::kCount));

Gsasl_property property_of(GnuExchange::Property p) { return kProperties[static_cast<size_t>(p)]; }

}  // namespace

bool GnuExchange::supports(std::string_view mechanism) {
  return gsasl_server_support_p(library(), std::string(mechanism).c_str()) != 0;
}

GnuExchange::GnuExchange(const char* mechanism) {
  if (gsasl_server_start(library(), mechanism, &session_) != GSASL_OK) session_ = nullptr;
}

GnuExchange::~GnuExchange() {
  if (session_ == nullptr) return;
  for (const Gsasl_property p :
       {GSASL_PASSWORD, GSASL_DIGEST_MD5_HASHED_PASSWORD, GSASL_SCRAM_STOREDKEY, GSASL_SCRAM_SERVERKEY}) {
    const char* value = gsasl_property_fast(session_, p);
    if (value != nullptr) secure_zero(const_cast<char*>(value), std::char_traits<char>::length(value));
  }
  gsasl_finish(session_);
}

GnuExchange::Result GnuExchange::step(std::string_view input, std::string& output) {
  if (session_ == nullptr) return Result::Failed;
  char* text = nullptr;
  size_t size = 0;
  const int code = gsasl_step(session_, input.data(), input.size(), &text, &size);
  if (text != nullptr) output.assign(text, size);
  gsasl_free(text);
  if (code == GSASL_OK) return Result::Done;
  if (code == GSASL_NEEDS_MORE) return Result::More;
  return code == GSASL_NO_PASSWORD ? Result::NoPassword : Result::Failed;
}

void GnuExchange::set(Property property, std::string_view value) {
  if (session_ != nullptr) gsasl_property_set_raw(session_, property_of(property), value.data(), value.size());
}

std::string GnuExchange::text(Property property) const {
  const char* value = session_ == nullptr ? nullptr : gsasl_property_fast(session_, property_of(property));
  return value == nullptr ? std::string() : value;
}

}  // namespace postern
