// Filters and DNs with %-variables: each value is escaped where it is put in, whatever its filters made of it
// (AUTH-19). Pure.
#ifndef POSTERN_AUTH_DB_LDAP_TEXT_H
#define POSTERN_AUTH_DB_LDAP_TEXT_H

#include <string>
#include <string_view>
#include <vector>

#include "auth/db.h"

namespace postern {

// All but letters, digits and "@._-" as \XX, which filters (RFC 4515 section 3) and DNs (RFC 4514 section 2.4) both
// read as that octet of the value.
std::string escape_ldap(std::string_view value);

// The text of a search filter or a DN.
class LdapTemplate {
 public:
  // The Error names the position in `text`.
  static Result<LdapTemplate> compile(std::string_view text);

  std::string expand(const Variables& variables) const;
  bool is_constant() const { return values_.empty(); }
  void add_uses_to(std::vector<VariableUse>& uses) const;

 private:
  struct Value {
    std::string before;  // text as the operator wrote it
    Template value;      // one variable
  };
  std::vector<Value> values_;
  std::string rest_;
};

}  // namespace postern

#endif
