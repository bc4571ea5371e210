// Bytes as %XX, and back (RFC 3986 section 2.1).
#ifndef POSTERN_BASE_PERCENT_H
#define POSTERN_BASE_PERCENT_H

#include <optional>
#include <string>
#include <string_view>

namespace postern {

// Bytes as they stand in a URL's path or query: all but letters, digits, "-", ".", "_" and "~" as %XX (RFC 3986
// section 2.3).
std::string url_escape(std::string_view text);
// Blanks, "%" and control characters as %XX: what nginx makes of names and passwords in the headers of auth_http.
std::string header_escape(std::string_view text);
// Nothing when a "%" has not two hexadecimal digits behind it.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace postern

#endif
