// pass_attrs and user_attrs: which attributes of an entry become which fields (AUTH-20). Pure.
#ifndef POSTERN_AUTH_DB_LDAP_ATTRIBUTES_H
#define POSTERN_AUTH_DB_LDAP_ATTRIBUTES_H

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/db.h"

namespace postern {

// One entry that a search found.
struct LdapEntry {
  std::string dn;
  std::map<std::string, std::vector<std::string>> values;  // by attribute in lower case, in the server's order

  // Null when the entry lacks it.
  const std::vector<std::string>* find(std::string_view attribute) const;
};

// attribute=field, attribute=field=TEXT, =field=TEXT, attribute; separated by commas. In TEXT stand %-variables, %$
// (the attribute's value), %{ldap:ATTRIBUTE}, %{ldap:ATTRIBUTE:DEFAULT} and %{ldap_dn}, with the usual filters.
class LdapAttributes {
 public:
  // The Error names the item.
  static Result<LdapAttributes> parse(std::string_view list);

  // What to ask the server for; empty: no attribute matters.
  const std::vector<std::string>& names() const { return names_; }
  void add_uses_to(std::vector<VariableUse>& uses) const;

  // Adds the fields of an entry to `row`. Fields whose attribute the entry lacks are left out. Of several values the
  // first counts, and `several` gets the attribute's name; a password hands all of them over.
  void fill(const LdapEntry& entry, const Variables& variables, RowBuilder& row,
            std::vector<std::string>& several) const;
  // The fields that need no entry, when none was read: auth_bind_userdn.
  void fill_constants(const Variables& variables, RowBuilder& row) const;
  // An entry's password is not wanted: the server compares it.
  void drop_password();

 private:
  struct Item {
    std::string attribute;  // lower case; empty: none
    std::string field;
    Template text;
    bool plain = false;        // the value as it is
    bool needs_entry = false;  // `text` has an attribute
  };
  Status add(std::string_view item);
  void want(std::string_view attribute);
  void want_all_of(const Template& text, Item& item);

  std::vector<Item> items_;
  std::vector<std::string> names_;
};

}  // namespace postern

#endif
