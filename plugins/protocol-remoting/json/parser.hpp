// Recursive descent over one text; inside of Document. Depth is bounded by Limits, so recursion is too.
#pragma once

#include "json/document.hpp"

namespace gantry::remoting::json {

class Parser {
 public:
  Parser(std::string_view text, const Limits &limits, Arena &arena)
      : start_(text.data()), at_(text.data()), end_(text.data() + text.size()), limits_(limits), arena_(arena) {}

  // NULL: what() at offset().
  [[nodiscard]] const Value *parse();
  [[nodiscard]] const char *what() const { return what_; }
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(at_ - start_); }

 private:
  [[nodiscard]] bool skip_blanks();
  [[nodiscard]] bool skip_comment();
  [[nodiscard]] bool fail(const char *what) {
    if (what_ == nullptr) what_ = what;
    return false;
  }
  [[nodiscard]] Value *make();
  [[nodiscard]] bool value(Value &out, std::uint32_t depth);
  [[nodiscard]] bool object(Value &out, std::uint32_t depth);
  [[nodiscard]] bool array(Value &out, std::uint32_t depth);
  [[nodiscard]] bool member_key(Value &member, std::uint32_t depth);
  [[nodiscard]] bool number(Value &out);
  [[nodiscard]] bool word(Value &out);
  [[nodiscard]] bool quoted(std::string_view &out);
  [[nodiscard]] bool unescape(char quote, std::string_view &out);
  [[nodiscard]] bool escape(char *&to);
  [[nodiscard]] bool hex(int digits, std::uint32_t &out);
  [[nodiscard]] bool unicode_escape(char *&to);
  [[nodiscard]] std::string_view identifier();

  const char *const start_;
  const char *at_;
  const char *const end_;
  const Limits &limits_;
  Arena &arena_;
  std::uint32_t values_ = 0;
  const char *what_ = nullptr;
};

}  // namespace gantry::remoting::json
