// Result<T>: a value or an Error with a code and a text that says what, where and the remedy. Nothing here throws.
#pragma once

#include <gantry/abi.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace gantry {

// Stops the process with the broken condition. For what only our own bug could break; stays on in release builds.
#define GANTRY_ASSERT(cond)                                                                              \
  do {                                                                                                   \
    if (!(cond)) [[unlikely]] {                                                                          \
      std::fprintf(stderr, "gantry: broken invariant: %s (%s:%d)\n", #cond, __FILE_NAME__, __LINE__);    \
      std::abort();                                                                                      \
    }                                                                                                    \
  } while (0)

struct [[nodiscard]] Error {
  std::int32_t code = GANTRY_E_INTERNAL;  // GANTRY_E_*
  std::string text;                       // what, where, remedy
  std::int32_t detail = 0;                // errno where it applies

  // Puts the caller's context in front: "open store: segment 000…: Permission denied".
  [[nodiscard]] Error in(const std::string &context) && {
    text = context + ": " + text;
    return std::move(*this);
  }
};

[[nodiscard]] inline Error io_error(const std::string &what, int error_number) {
  return Error{GANTRY_E_IO, what + ": " + std::strerror(error_number), error_number};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T &value() & {
    GANTRY_ASSERT(ok());
    return std::get<0>(state_);
  }
  [[nodiscard]] const T &value() const & {
    GANTRY_ASSERT(ok());
    return std::get<0>(state_);
  }
  [[nodiscard]] T &&value() && {
    GANTRY_ASSERT(ok());
    return std::get<0>(std::move(state_));
  }
  [[nodiscard]] T &operator*() & { return value(); }
  [[nodiscard]] const T &operator*() const & { return value(); }
  [[nodiscard]] T *operator->() { return &value(); }
  [[nodiscard]] const T *operator->() const { return &value(); }
  [[nodiscard]] Error &error() {
    GANTRY_ASSERT(!ok());
    return std::get<1>(state_);
  }
  [[nodiscard]] const Error &error() const {
    GANTRY_ASSERT(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}
  [[nodiscard]] bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  [[nodiscard]] Error &error() {
    GANTRY_ASSERT(!ok_);
    return error_;
  }
  [[nodiscard]] const Error &error() const {
    GANTRY_ASSERT(!ok_);
    return error_;
  }

 private:
  Error error_{};
  bool ok_ = true;
};

// Copies an Error into the caller's ABI struct (may be NULL) and returns its code, so that a table function can end with it.
inline std::int32_t report(const Error &error, gantry_error *out) noexcept {
  if (out != nullptr) {
    *out = gantry_error{};
    out->code = error.code;
    out->detail = error.detail;
    const std::size_t n = error.text.size() < sizeof out->text - 1 ? error.text.size() : sizeof out->text - 1;
    std::memcpy(out->text, error.text.data(), n);
  }
  return error.code;
}

// Leaves the function with the error of `expr`, a Result<void>.
#define GANTRY_TRY(expr)                                    \
  do {                                                      \
    if (auto gantry_try_result = (expr); !gantry_try_result) \
      return std::move(gantry_try_result.error());          \
  } while (0)

}  // namespace gantry
