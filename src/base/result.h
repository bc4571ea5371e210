// Expected failures as values: Result<T> and Status. Nothing of ours throws.
#ifndef POSTERN_BASE_RESULT_H
#define POSTERN_BASE_RESULT_H

#include <string>
#include <utility>
#include <variant>

namespace postern {

// Why something did not work, in words an operator understands. No newline, no secret.
struct Error {
  explicit Error(std::string what) : text(std::move(what)) {}
  std::string text;
};

// Either a value or an Error. Look before you take: *r on an Error is a bug and ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const std::string& error() const { return std::get<1>(state_).text; }

 private:
  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error.text)), failed_(true) {}

  explicit operator bool() const { return !failed_; }
  const std::string& error() const { return error_; }

 private:
  std::string error_;
  bool failed_ = false;
};

}  // namespace postern

#endif
