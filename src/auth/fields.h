// The passdb fields a request has collected so far (FLD-1 to FLD-3).
#ifndef POSTERN_AUTH_FIELDS_H
#define POSTERN_AUTH_FIELDS_H

#include <string>
#include <string_view>

#include "ipc/field_list.h"

namespace postern {

// Ordered; a name stands in it once. Values are wiped when the set dies: `pass` may be among them.
class FieldSet {
 public:
  FieldSet() = default;
  FieldSet(const FieldSet&) = default;
  FieldSet& operator=(const FieldSet&) = default;
  FieldSet(FieldSet&&) = default;
  FieldSet& operator=(FieldSet&&) = default;
  ~FieldSet();

  // Null when absent. A boolean field is true when present, whatever its value (FLD-1).
  const std::string* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // The value, or nothing.
  std::string_view text(std::string_view name) const;

  // `name` may end in :protected or :default (set only when absent) or :remove (FLD-2, AUTH-8).
  void apply(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);

  const FieldList& list() const { return fields_; }

 private:
  FieldList fields_;
};

// `name` without its suffix.
std::string_view field_base_name(std::string_view name);

}  // namespace postern

#endif
