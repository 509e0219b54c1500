#include "lexer.hpp"

namespace gantry::sql92 {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '$'; }

struct Keyword {
  std::string_view word;
  Token token;
};
constexpr Keyword kKeywords[] = {
    {"NOT", Token::kNot},   {"AND", Token::kAnd},     {"OR", Token::kOr},     {"BETWEEN", Token::kBetween}, {"IN", Token::kIn},
    {"TRUE", Token::kTrue}, {"FALSE", Token::kFalse}, {"NULL", Token::kNull}, {"IS", Token::kIs},           {"CONTAINS", Token::kContains},
    {"STARTSWITH", Token::kStartsWith}, {"ENDSWITH", Token::kEndsWith},
};

bool same_word(std::string_view a, std::string_view capitals) {
  if (a.size() != capitals.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] >= 'a' && a[i] <= 'z' ? static_cast<char>(a[i] - 32) : a[i]) != capitals[i]) return false;
  return true;
}

}  // namespace

std::size_t Lexer::digits(std::size_t ahead) const {
  std::size_t n = 0;
  while (is_digit(peek(ahead + n))) ++n;
  return n;
}

// Bytes of an exponent there; 0: there is none.
std::size_t Lexer::exponent(std::size_t ahead) const {
  if ((peek(ahead) | 0x20) != 'e') return 0;
  const std::size_t sign = peek(ahead + 1) == '+' || peek(ahead + 1) == '-' ? 1 : 0;
  const std::size_t n = digits(ahead + 1 + sign);
  return n == 0 ? 0 : 1 + sign + n;
}

void Lexer::skip_blanks_and_comments() {
  for (;;) {
    const char c = peek(0);
    if (at_ < text_.size() && (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')) {
      ++at_;
      continue;
    }
    std::size_t end = std::string_view::npos;
    if (c == '-' && peek(1) == '-') {
      end = text_.find_first_of("\r\n", at_);  // without a line's end it is two minus signs
      if (end != std::string_view::npos) end += 1;
    } else if (c == '/' && peek(1) == '*') {
      end = text_.find("*/", at_ + 2);
      if (end != std::string_view::npos) end += 2;
    }
    if (end == std::string_view::npos) return;
    at_ = end;
  }
}

Token Lexer::word() {
  std::size_t n = 1;
  while (begins_name(peek(n)) || is_digit(peek(n))) ++n;
  const std::string_view name = text_.substr(at_, n);
  for (const Keyword &keyword : kKeywords)
    if (same_word(name, keyword.word)) return take(n, keyword.token);
  return take(n, Token::kName);
}

// The longest of "0", 123, 123L, 1.5, 1., .5 and any of the last three or an integer with an exponent.
Token Lexer::number() {
  const std::size_t whole = digits(0);
  if (peek(whole) == '.') {
    const std::size_t fraction = digits(whole + 1);
    if (whole + fraction == 0) return Token::kBad;
    const std::size_t n = whole + 1 + fraction;
    return take(n + exponent(n), Token::kFloat);
  }
  if (const std::size_t e = exponent(whole); e != 0) return take(whole + e, Token::kFloat);
  if (peek(0) == '0') return take(1, Token::kInteger);
  return take(whole + ((peek(whole) | 0x20) == 'l' ? 1 : 0), Token::kInteger);
}

// The longest text in quotes: where none closes it, the first quote of its last pair does.
Token Lexer::string() {
  std::size_t closing = std::string_view::npos;
  for (std::size_t at = at_ + 1;;) {
    const std::size_t quote = text_.find('\'', at);
    if (quote == std::string_view::npos) break;
    closing = quote;
    if (quote + 1 >= text_.size() || text_[quote + 1] != '\'') break;
    at = quote + 2;
  }
  return closing == std::string_view::npos ? Token::kBad : take(closing + 1 - at_, Token::kString);
}

Token Lexer::next() {
  skip_blanks_and_comments();
  begin_ = at_;
  if (at_ == text_.size()) return Token::kEnd;
  const char c = peek(0);
  if (begins_name(c)) return word();
  if (is_digit(c) || c == '.') return number();
  switch (c) {
    case '\'': return string();
    case '=': return take(1, Token::kEqual);
    case '<': return peek(1) == '>' ? take(2, Token::kNotEqual) : peek(1) == '=' ? take(2, Token::kLessEqual) : take(1, Token::kLess);
    case '>': return peek(1) == '=' ? take(2, Token::kGreaterEqual) : take(1, Token::kGreater);
    case '(': return take(1, Token::kOpen);
    case ',': return take(1, Token::kComma);
    case ')': return take(1, Token::kClose);
    case '+': return take(1, Token::kPlus);
    case '-': return take(1, Token::kMinus);
    default: return Token::kBad;
  }
}

}  // namespace gantry::sql92
