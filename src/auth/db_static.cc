#include "auth/db_static.h"

#include "base/text.h"

namespace postern {

namespace {

struct StaticField {
  std::string name;
  Template value;
  bool literal_scheme = false;  // password: the template itself begins with {SCHEME}
};

class StaticDatabase final : public Database {
 public:
  StaticDatabase(std::vector<StaticField> fields, DbKind kind) : fields_(std::move(fields)), kind_(kind) {}

  // A password made of variables gets no scheme from their values.
  DbRow lookup(const Variables& variables, const SecretString*) override {
    RowBuilder row(kind_);
    for (const StaticField& f : fields_) {
      std::string value = f.value.expand(variables);
      const bool own_scheme = f.name != "password" || f.literal_scheme || f.value.is_constant();
      row.add(own_scheme ? std::string_view(f.name) : "password_noscheme", value);
      if (f.name == "password") secure_zero(value.data(), value.size());
    }
    return row.take();
  }

 private:
  std::vector<StaticField> fields_;
  DbKind kind_;
};

Status add_field(std::string_view name, std::string_view value, std::vector<StaticField>& out) {
  auto compiled = Template::compile(value);
  if (!compiled) return Error(std::string(name) + ": " + compiled.error());
  out.push_back({std::string(name), std::move(*compiled), !value.empty() && value[0] == '{'});
  return {};
}

Result<std::vector<StaticField>> compile_fields(const DatabaseSettings& settings) {
  std::vector<StaticField> out;
  // The reader of the configuration puts the fields of `args` into driver_fields as well.
  for (std::string_view word : split_words(settings.driver_fields.empty() ? std::string_view(settings.args) : "")) {
    const size_t equal = word.find('=');
    const std::string_view value = equal == std::string_view::npos ? "yes" : word.substr(equal + 1);
    const Status status = add_field(word.substr(0, equal), value, out);
    if (!status) return Error("args: " + status.error());
  }
  for (const auto& [name, value] : settings.driver_fields) {
    const Status status = add_field(name, value, out);
    if (!status) return Error("fields: " + status.error());
  }
  return out;
}

}  // namespace

Result<DriverTraits> describe_static(const DatabaseSettings& settings, DbKind) {
  const auto fields = compile_fields(settings);
  if (!fields) return Error(fields.error());
  DriverTraits traits;
  traits.default_scheme = "PLAIN";
  return traits;
}

Result<std::unique_ptr<Database>> open_static(const DatabaseSettings& settings, DbKind kind) {
  auto fields = compile_fields(settings);
  if (!fields) return Error(fields.error());
  // Ours never asks whether the user exists: he has just authenticated.
  if (kind == DbKind::Userdb) std::erase_if(*fields, [](const StaticField& f) { return f.name == "allow_all_users"; });
  return std::unique_ptr<Database>(std::make_unique<StaticDatabase>(std::move(*fields), kind));
}

}  // namespace postern
