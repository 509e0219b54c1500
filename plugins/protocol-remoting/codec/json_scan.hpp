// Forward scanner for the JSON of headers: strings as views, escapes decoded into the scratch, values skipped without a tree.
// Bodies are read by json/, which also knows the peers' departures from JSON; headers are valid JSON from every client.
#pragma once

#include "codec/scratch.hpp"

#include <gantry++/find_byte.hpp>

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

class JsonScan {
 public:
  JsonScan(std::string_view text, Scratch &scratch) : JsonScan(text.data(), text.data() + text.size(), scratch) {}
  JsonScan(const char *begin, const char *end, Scratch &scratch) : p_(begin), end_(end), scratch_(scratch) {}

  // Next byte after white space, not consumed; 0 at the end.
  [[nodiscard]] char peek() {
    while (p_ != end_ && static_cast<unsigned char>(*p_) <= ' ') {
      if (*p_ != ' ' && *p_ != '\t' && *p_ != '\n' && *p_ != '\r') return '\1';
      ++p_;
    }
    return p_ != end_ ? *p_ : '\0';
  }
  // Consumes `c` after white space; false when something else is there.
  [[nodiscard]] bool accept(char c) {
    if (p_ != end_ && *p_ == c) {  // compact JSON takes this way
      ++p_;
      return true;
    }
    if (peek() != c) return false;
    ++p_;
    return true;
  }
  // A string. The view is into the input, or into the scratch when it has escapes.
  [[nodiscard]] bool string(std::string_view &out) {
    if (!accept('"')) return false;
    const char *begin = p_;
    const char *stop = special(begin);
    if (stop == end_) return false;
    if (*stop == '"') [[likely]] {
      out = {begin, static_cast<std::size_t>(stop - begin)};
      p_ = stop + 1;
      return true;
    }
    return escaped_string(begin, stop, out);
  }
  // `"x":` with a lower-case letter x, which is how most fields of the hot requests begin. 0: something else, nothing consumed.
  [[nodiscard]] char letter_key() {
    if (end_ - p_ < 4 || p_[0] != '"' || p_[2] != '"' || p_[3] != ':' || p_[1] < 'a' || p_[1] > 'z') return '\0';
    p_ += 4;
    return p_[-3];
  }
  // A plain number of up to nine digits, which is how peers write the header's own. False: something else, nothing consumed.
  [[nodiscard]] bool small_number(std::int32_t &out) {
    constexpr std::ptrdiff_t kMaxDigits = 9;
    const char *p = p_;
    std::int32_t value = 0;
    while (p != end_ && *p >= '0' && *p <= '9' && p - p_ < kMaxDigits) value = value * 10 + (*p++ - '0');
    if (p == p_ || p == end_ || (*p != ',' && *p != '}')) return false;
    p_ = p;
    out = value;
    return true;
  }
  // A string, number, true or false as text. `present` is false for null and for objects and arrays, which are skipped.
  [[nodiscard]] bool scalar(std::string_view &out, bool &present) {
    if (p_ != end_ && *p_ == '"') [[likely]] {
      present = true;
      return string(out);
    }
    return other_scalar(out, present);
  }
  // Any value, to 16 levels.
  [[nodiscard]] bool skip();
  // The rest of a string that begins, behind its quote, at `begin` and has its first escape at `backslash`.
  [[nodiscard]] bool escaped_string(const char *begin, const char *backslash, std::string_view &out);
  [[nodiscard]] const char *here() const { return p_; }
  [[nodiscard]] bool at_end() { return peek() == '\0' && p_ == end_; }

 private:
  // First quote or backslash at or after p; end_ when there is none.
  [[nodiscard]] const char *special(const char *p) const { return find_either(p, p, end_, '"', '\\'); }
  [[nodiscard]] bool other_scalar(std::string_view &out, bool &present);
  [[nodiscard]] const char *copy_to_special(const char *from, char *&to) const;
  [[nodiscard]] bool escape(const char *&in, char *&out) const;
  [[nodiscard]] bool hex4(const char *&in, std::uint32_t &out) const;

  const char *p_;
  const char *end_;
  Scratch &scratch_;
};

}  // namespace gantry::remoting
