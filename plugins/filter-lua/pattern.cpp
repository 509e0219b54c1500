#include "pattern.hpp"

#include <cstring>

namespace gantry::lua {

namespace {

constexpr char kEscape = '%';

// As in the locale "C", whatever the process has.
bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
bool is_alpha(unsigned char c) { return is_lower(c) || is_upper(c); }
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_graph(unsigned char c) { return c > ' ' && c < 0x7F; }

bool in_class(unsigned char c, unsigned char of) {
  const unsigned char kind = is_upper(of) ? static_cast<unsigned char>(of + ('a' - 'A')) : of;
  bool found = false;
  switch (kind) {
    case 'a': found = is_alpha(c); break;
    case 'c': found = c < ' ' || c == 0x7F; break;
    case 'd': found = is_digit(c); break;
    case 'g': found = is_graph(c); break;
    case 'l': found = is_lower(c); break;
    case 'p': found = is_graph(c) && !is_alpha(c) && !is_digit(c); break;
    case 's': found = c == ' ' || (c >= '\t' && c <= '\r'); break;
    case 'u': found = is_upper(c); break;
    case 'w': found = is_alpha(c) || is_digit(c); break;
    case 'x': found = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); break;
    default: return of == c;
  }
  return found != is_upper(of);
}

}  // namespace

std::size_t Matcher::match_at(std::size_t at) {
  level_ = 0;
  depth_ = 0;
  return match(at, 0);
}

// Where the item at p (one character, %x, or a set) ends.
std::size_t Matcher::item_end(std::size_t p) {
  const std::size_t n = pattern_.size();
  const char c = pattern_[p++];
  if (c == kEscape) {
    if (p >= n) return fail("malformed pattern (ends with '%')");
    return p + 1;
  }
  if (c != '[') return p;
  if (p < n && pattern_[p] == '^') ++p;
  do {  // the first character of a set may be ']'
    if (p >= n) return fail("malformed pattern (missing ']')");
    if (pattern_[p++] == kEscape) ++p;
  } while (p >= n || pattern_[p] != ']');
  return p + 1;
}

// p at '[', last at ']'.
bool Matcher::in_set(unsigned char c, std::size_t p, std::size_t last) const {
  const auto at = [this](std::size_t i) { return static_cast<unsigned char>(pattern_[i]); };
  bool wanted = true;
  if (at(p + 1) == '^') {
    wanted = false;
    ++p;
  }
  while (++p < last) {
    if (at(p) == kEscape) {
      ++p;
      if (in_class(c, at(p))) return wanted;
    } else if (at(p + 1) == '-' && p + 2 < last) {
      p += 2;
      if (at(p - 2) <= c && c <= at(p)) return wanted;
    } else if (at(p) == c) {
      return wanted;
    }
  }
  return !wanted;
}

bool Matcher::single(std::size_t s, std::size_t p, std::size_t end) {
  if (s >= subject_.size() || !meter_->spend(1 + (end - p) / 8)) return false;
  const auto c = static_cast<unsigned char>(subject_[s]);
  switch (pattern_[p]) {
    case '.': return true;
    case kEscape: return in_class(c, static_cast<unsigned char>(pattern_[p + 1]));
    case '[': return in_set(c, p, end - 1);
    default: return pattern_[p] == subject_[s];
  }
}

// %bxy, p at x.
std::size_t Matcher::balance(std::size_t s, std::size_t p) {
  if (p + 1 >= pattern_.size()) return fail("malformed pattern (missing arguments to '%b')");
  if (s >= subject_.size() || subject_[s] != pattern_[p]) return kNoMatch;
  const char open = pattern_[p], close = pattern_[p + 1];
  std::size_t depth = 1;
  for (++s; s < subject_.size() && meter_->spend(1); ++s) {
    if (subject_[s] == close) {
      if (--depth == 0) return s + 1;
    } else if (subject_[s] == open) {
      ++depth;
    }
  }
  return kNoMatch;
}

// %f[set], p at '['. The place in the pattern behind it, or kNoMatch.
std::size_t Matcher::frontier(std::size_t s, std::size_t p) {
  if (p >= pattern_.size() || pattern_[p] != '[') return fail("missing '[' after '%f' in pattern");
  const std::size_t end = item_end(p);
  if (end == kNoMatch) return kNoMatch;
  const unsigned char before = s == 0 ? 0 : static_cast<unsigned char>(subject_[s - 1]), here = s < subject_.size() ? static_cast<unsigned char>(subject_[s]) : 0;
  if (!meter_->spend(1 + (end - p) / 4)) return kNoMatch;
  return !in_set(before, p, end - 1) && in_set(here, p, end - 1) ? end : kNoMatch;
}

// As many as fit, then fewer and fewer until the rest fits.
std::size_t Matcher::most(std::size_t s, std::size_t p, std::size_t end) {
  std::size_t n = 0;
  while (single(s + n, p, end)) ++n;
  for (;;) {
    if (stopped()) return kNoMatch;
    const std::size_t found = match(s + n, end + 1);
    if (found != kNoMatch || n == 0) return found;
    --n;
  }
}

std::size_t Matcher::fewest(std::size_t s, std::size_t p, std::size_t end) {
  for (;;) {
    const std::size_t found = match(s, end + 1);
    if (found != kNoMatch || stopped()) return found;
    if (!single(s, p, end)) return kNoMatch;
    ++s;
  }
}

std::size_t Matcher::open_capture(std::size_t s, std::size_t p, std::ptrdiff_t what) {
  if (level_ >= kCapturesMax) return fail("too many captures");
  captures_[level_++] = {s, what};
  const std::size_t found = match(s, p);
  if (found == kNoMatch) --level_;
  return found;
}

std::size_t Matcher::close_capture(std::size_t s, std::size_t p) {
  int open = level_ - 1;
  while (open >= 0 && captures_[open].size != Capture::kOpen) --open;
  if (open < 0) return fail("invalid pattern capture");
  captures_[open].size = static_cast<std::ptrdiff_t>(s - captures_[open].begin);
  const std::size_t found = match(s, p);
  if (found == kNoMatch) captures_[open].size = Capture::kOpen;
  return found;
}

std::size_t Matcher::repeat_capture(std::size_t s, char digit) {
  const int i = digit - '1';
  if (i < 0 || i >= level_ || captures_[i].size == Capture::kOpen) return fail("invalid capture index in pattern");
  // Of a capture of a place Lua takes the length as it is, which fits nothing.
  if (captures_[i].size < 0) return kNoMatch;
  const auto n = static_cast<std::size_t>(captures_[i].size);
  if (!meter_->spend_bytes(n) || subject_.size() - s < n) return kNoMatch;
  return n == 0 || std::memcmp(subject_.data() + captures_[i].begin, subject_.data() + s, n) == 0 ? s + n : kNoMatch;
}

std::size_t Matcher::match(std::size_t s, std::size_t p) {
  if (depth_ == kDepthMax) return fail("pattern too complex");
  struct Depth {
    int &of;
    explicit Depth(int &d) : of(++d) {}
    ~Depth() { --of; }
  } const deeper(depth_);
  const std::size_t n = pattern_.size();
  while (!stopped() && meter_->spend(1)) {
    if (p == n) return s;
    switch (pattern_[p]) {
      case '(': return p + 1 < n && pattern_[p + 1] == ')' ? open_capture(s, p + 2, Capture::kPosition) : open_capture(s, p + 1, Capture::kOpen);
      case ')': return close_capture(s, p + 1);
      case '$':
        if (p + 1 == n) return s == subject_.size() ? s : kNoMatch;
        break;
      case kEscape: {
        const char next = p + 1 < n ? pattern_[p + 1] : '\0';
        if (next == 'b') {
          s = balance(s, p + 2);
          if (s == kNoMatch) return kNoMatch;
          p += 4;
          continue;
        }
        if (next == 'f') {
          p = frontier(s, p + 2);
          if (p == kNoMatch) return kNoMatch;
          continue;
        }
        if (is_digit(static_cast<unsigned char>(next))) {
          s = repeat_capture(s, next);
          if (s == kNoMatch) return kNoMatch;
          p += 2;
          continue;
        }
        break;
      }
      default: break;
    }
    const std::size_t end = item_end(p);
    if (end == kNoMatch) return kNoMatch;
    const char times = end < n ? pattern_[end] : '\0';
    if (times == '*') return most(s, p, end);
    if (times == '-') return fewest(s, p, end);
    const bool fits = single(s, p, end);
    if (times == '+') return fits ? most(s + 1, p, end) : kNoMatch;
    if (times == '?') {
      if (fits) {
        const std::size_t found = match(s + 1, end + 1);
        if (found != kNoMatch || stopped()) return found;
      }
      p = end + 1;
      continue;
    }
    if (!fits) return kNoMatch;
    ++s;
    p = end;
  }
  return kNoMatch;
}

}  // namespace gantry::lua
