// Variables from a list, for tests.
#ifndef POSTERN_T_AUTH_FAKE_VARIABLES_H
#define POSTERN_T_AUTH_FAKE_VARIABLES_H

#include <map>
#include <string>

#include "auth/username.h"
#include "auth/variables.h"

namespace postern {

class FakeVariables final : public Variables {
 public:
  explicit FakeVariables(std::string user = "Joe@Example.ORG") : user_(std::move(user)) {}
  FakeVariables& set(Variable v, std::string text) {
    values_[v] = std::move(text);
    return *this;
  }
  FakeVariables& field(const std::string& name, std::string text) {
    fields_[name] = std::move(text);
    return *this;
  }
  std::string value(Variable v, std::string_view argument) const override {
    if (is_name_variable(v)) return name_variable(v, user_);
    if (v == Variable::PassdbField) {
      const auto f = fields_.find(std::string(argument));
      return f == fields_.end() ? "" : f->second;
    }
    const auto f = values_.find(v);
    return f == values_.end() ? "" : f->second;
  }

 private:
  std::string user_;
  std::map<Variable, std::string> values_;
  std::map<std::string, std::string> fields_;
};

}  // namespace postern

#endif
