#include "json/parser.hpp"

#include <new>

namespace gantry::remoting::json {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\b'; }

}  // namespace

const Value *Parser::parse() {
  if (static_cast<std::size_t>(end_ - start_) > limits_.max_bytes) return (void)fail("the text is longer than the limit"), nullptr;
  Value *root = make();
  if (root == nullptr || !skip_blanks() || !value(*root, 0) || !skip_blanks()) return nullptr;
  if (at_ != end_) return (void)fail("unexpected text after the end of the value"), nullptr;
  return root;
}

Value *Parser::make() {
  if (values_ == limits_.max_values) return (void)fail("more values than the limit"), nullptr;
  ++values_;
  return new (arena_.take(sizeof(Value))) Value;
}

bool Parser::skip_blanks() {
  for (;;) {
    while (at_ != end_ && is_blank(*at_)) ++at_;
    if (at_ == end_ || *at_ != '/') return true;
    if (!skip_comment()) return false;
  }
}

bool Parser::skip_comment() {
  const char *begin = at_;
  if (end_ - at_ >= 2 && at_[1] == '/') {
    while (at_ != end_ && *at_ != '\n') ++at_;
    return true;
  }
  if (end_ - at_ >= 2 && at_[1] == '*') {
    for (at_ += 2; end_ - at_ >= 2; ++at_) {
      if (at_[0] == '*' && at_[1] == '/') {
        at_ += 2;
        return true;
      }
    }
    at_ = begin;
    return fail("a comment is not closed");
  }
  return fail("expected a value");
}

bool Parser::value(Value &out, std::uint32_t depth) {
  if (at_ == end_) return fail("the text ends where a value is expected");
  const char *begin = at_;
  bool good = false;
  switch (*at_) {
    case '{': good = object(out, depth + 1); break;
    case '[': good = array(out, depth + 1); break;
    case '"':
    case '\'': {
      std::string_view text;
      good = quoted(text);
      out.kind_ = Kind::kString;
      out.text_ = text.data();
      out.text_bytes_ = static_cast<std::uint32_t>(text.size());
      break;
    }
    default:
      if (is_digit(*at_) || *at_ == '-' || *at_ == '+' || *at_ == '.') {
        good = number(out);
      } else if (is_word_start(*at_)) {
        good = word(out);
      } else {
        return fail("expected a value");
      }
  }
  out.raw_ = begin;
  out.raw_bytes_ = static_cast<std::uint32_t>(at_ - begin);
  return good;
}

bool Parser::object(Value &out, std::uint32_t depth) {
  if (depth > limits_.max_depth) return fail("nested deeper than the limit");
  out.kind_ = Kind::kObject;
  const Value **link = &out.child_;
  ++at_;
  for (;;) {
    if (!skip_blanks()) return false;
    if (at_ != end_ && *at_ == '}') break;
    if (at_ == end_) return fail("the text ends inside an object");
    Value *member = make();
    if (member == nullptr || !member_key(*member, depth) || !skip_blanks()) return false;
    if (at_ == end_ || *at_ != ':') return fail("expected ':' after a key");
    ++at_;
    if (!skip_blanks() || !value(*member, depth) || !skip_blanks()) return false;
    *link = member;
    link = &member->next_;
    out.count_ = out.count_ + 1;
    if (at_ != end_ && *at_ == ',') {
      ++at_;
    } else if (at_ == end_ || *at_ != '}') {
      return fail("expected ',' or '}' in an object");
    }
  }
  ++at_;
  return true;
}

bool Parser::array(Value &out, std::uint32_t depth) {
  if (depth > limits_.max_depth) return fail("nested deeper than the limit");
  out.kind_ = Kind::kArray;
  const Value **link = &out.child_;
  ++at_;
  for (;;) {
    if (!skip_blanks()) return false;
    if (at_ != end_ && *at_ == ']') break;
    if (at_ == end_) return fail("the text ends inside an array");
    Value *element = make();
    if (element == nullptr || !value(*element, depth) || !skip_blanks()) return false;
    *link = element;
    link = &element->next_;
    out.count_ = out.count_ + 1;
    if (at_ != end_ && *at_ == ',') {
      ++at_;
    } else if (at_ == end_ || *at_ != ']') {
      return fail("expected ',' or ']' in an array");
    }
  }
  ++at_;
  return true;
}

bool Parser::member_key(Value &member, std::uint32_t depth) {
  const char c = *at_;
  std::string_view key;
  if (c == '"' || c == '\'') {
    if (!quoted(key)) return false;
  } else if (c == '{' || c == '[') {
    Value *key_value = make();
    if (key_value == nullptr || !value(*key_value, depth)) return false;
    member.key_value_ = key_value;
  } else if (is_digit(c) || c == '-') {
    Value scratch;
    if (!number(scratch)) return false;
    key = scratch.text();
  } else if (is_word_start(c)) {
    key = identifier();
  } else {
    return fail("expected a key or '}'");
  }
  member.key_ = key.data();
  member.key_bytes_ = static_cast<std::uint32_t>(key.size());
  return true;
}

bool Parser::number(Value &out) {
  const char *begin = at_;
  if (*at_ == '-' || *at_ == '+') ++at_;
  bool digits = false;
  for (; at_ != end_ && is_digit(*at_); ++at_) digits = true;
  if (at_ != end_ && *at_ == '.') {
    for (++at_; at_ != end_ && is_digit(*at_); ++at_) digits = true;
  }
  if (!digits) return fail("expected a digit");
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (at_ == end_ || !is_digit(*at_)) return fail("expected a digit in the exponent");
    while (at_ != end_ && is_digit(*at_)) ++at_;
  }
  out.kind_ = Kind::kNumber;
  out.text_ = begin;
  out.text_bytes_ = static_cast<std::uint32_t>(at_ - begin);
  if (at_ != end_ && std::string_view("LSBFD").find(*at_) != std::string_view::npos) ++at_;
  if (at_ != end_ && (is_word_start(*at_) || is_digit(*at_) || *at_ == '.')) return fail("a number is followed by other text");
  return true;
}

std::string_view Parser::identifier() {
  const char *begin = at_;
  while (at_ != end_ && (is_word_start(*at_) || is_digit(*at_))) ++at_;
  return {begin, static_cast<std::size_t>(at_ - begin)};
}

bool Parser::word(Value &out) {
  const char *begin = at_;
  const std::string_view name = identifier();
  if (name == "true" || name == "false") {
    out.kind_ = Kind::kBool;
    out.text_ = name.data();
    out.text_bytes_ = static_cast<std::uint32_t>(name.size());
    return true;
  }
  if (name == "null" || name == "NULL" || name == "undefined" || name == "NaN") {
    out.kind_ = Kind::kNull;
    return true;
  }
  at_ = begin;
  return fail("expected a value, found an unquoted word");
}

}  // namespace gantry::remoting::json
