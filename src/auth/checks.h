// Fields that decide over a login although the password was right (AUTH-9, ALG-10 to ALG-13).
#ifndef POSTERN_AUTH_CHECKS_H
#define POSTERN_AUTH_CHECKS_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/fields.h"
#include "base/address.h"
#include "base/result.h"

namespace postern {

// Whether `ip` is in `list` (networks by space or comma; `local`: no address). Entries that are none are skipped
// and appended to `invalid`.
bool is_in_networks(std::string_view list, const IpAddress& ip, std::vector<std::string>& invalid);

// `T` or `T+n`: until when the reply waits, in seconds since 1970; 0 for "not at all". `random_below(n)`
// gives 0 to n-1 and is asked with n > 0 only (ALG-13). More than `max_ahead` seconds from now: failure. The Error is
// what the log says.
Result<uint64_t> parse_delay_until(std::string_view value, uint64_t now, uint64_t max_ahead,
                                   const std::function<uint64_t(uint64_t)>& random_below);

// check_client_fp, check_client_cert_fp and check_client_pubkey_fp (AUTH-9): SHA-256 in hex, of the client's
// certificate and of its key; empty: none was shown.
Status check_certificate_fields(const FieldSet& fields, std::string_view cert_fp, std::string_view key_fp);

// allow_nets, allow_real_nets and fail; delay_until is separate. The Error is what the log says; `notes` gets
// further lines.
Status check_fields(const FieldSet& fields, const IpAddress& remote, const IpAddress& real_remote,
                    std::vector<std::string>& notes);

// What in ssl and starttls is followed as Dovecot does and hardly meant so: TLS by a "no", a check switched off by the
// other field (PXI-70, DECISIONS 1). Empty: nothing.
std::string_view surprise_in_tls(const FieldSet& fields);

}  // namespace postern

#endif
