// Tokens of RocketMQ's selector grammar. Keywords in any case; property names are taken as they stand.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry::sql92 {

enum class Token : std::uint8_t {
  kEnd, kBad, kName, kInteger, kFloat, kString,
  kNot, kAnd, kOr, kBetween, kIn, kTrue, kFalse, kNull, kIs, kContains, kStartsWith, kEndsWith,
  kEqual, kNotEqual, kGreater, kGreaterEqual, kLess, kLessEqual, kOpen, kComma, kClose, kPlus, kMinus,
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // Moves to the next token. kBad: nothing of the grammar begins there, or a string or comment has no end; image() is empty then.
  Token next();
  [[nodiscard]] std::string_view image() const { return text_.substr(begin_, at_ - begin_); }
  [[nodiscard]] std::size_t begin() const { return begin_; }  // byte offset of the token

 private:
  void skip_blanks_and_comments();
  Token word();
  Token number();
  Token string();
  Token take(std::size_t bytes, Token token) {
    at_ += bytes;
    return token;
  }
  [[nodiscard]] char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  [[nodiscard]] std::size_t digits(std::size_t ahead) const;
  [[nodiscard]] std::size_t exponent(std::size_t ahead) const;

  std::string_view text_;
  std::size_t begin_ = 0, at_ = 0;
};

}  // namespace gantry::sql92
