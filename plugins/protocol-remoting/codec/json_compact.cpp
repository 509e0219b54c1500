#include "codec/json_compact.hpp"

#include "codec/codes.hpp"
#include "codec/json_scan.hpp"
#include "codec/text.hpp"

#include <gantry++/find_byte.hpp>

#include <limits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kPropertiesMax = 16;  // of the header itself; below the general decoder's limit

class CompactReader {
 public:
  CompactReader(std::string_view text, Scratch &scratch) : begin_(text.data()), p_(begin_), end_(p_ + text.size()), scratch_(scratch) {}

  [[nodiscard]] bool read(Header &out) {
    if (!eat("{")) return false;
    for (std::uint32_t n = 0; n < kPropertiesMax; ++n) {
      if (!property(out) || p_ == end_) return false;
      if (*p_ == ',') {
        ++p_;
        continue;
      }
      return *p_ == '}' && p_ + 1 == end_;
    }
    return false;
  }

 private:
  template <std::size_t N>
  [[nodiscard]] bool eat(const char (&literal)[N]) {
    if (static_cast<std::size_t>(end_ - p_) < N - 1 || std::memcmp(p_, literal, N - 1) != 0) return false;
    p_ += N - 1;
    return true;
  }

  [[nodiscard]] bool property(Header &out) {
    if (end_ - p_ < 2) return false;
    switch (p_[1]) {
      case 'c': return eat("\"code\":") && number(out.code);
      case 'e': return eat("\"extFields\":{") && ext_fields(out);
      case 'f': return eat("\"flag\":") && number(out.flag);
      case 'l': return eat("\"language\":\"") && language(out.language);
      case 'o': return eat("\"opaque\":") && number(out.opaque);
      case 'r': return eat("\"remark\":") && remark(out.remark);
      case 's': return eat("\"serializeTypeCurrentRPC\":\"") && ignored();
      case 'v': return eat("\"version\":") && number(out.version);
      default: return false;
    }
  }

  [[nodiscard]] bool number(std::int32_t &out) {
    constexpr std::ptrdiff_t kMaxDigits = 10;
    std::uint64_t value = 0;
    const char *p = p_;
    const char *const stop = end_ - p > kMaxDigits ? p + kMaxDigits : end_;
    for (std::uint32_t digit; p != stop && (digit = static_cast<std::uint32_t>(*p) - '0') <= 9; ++p) value = value * 10 + digit;
    if (p == p_ || value > std::numeric_limits<std::int32_t>::max()) return false;  // what follows the digits is looked at by the caller
    p_ = p;
    out = static_cast<std::int32_t>(value);
    return true;
  }

  // The rest of a text behind its opening quote, without escapes.
  [[nodiscard]] bool plain(std::string_view &out) {
    const char *const stop = find_either(begin_, p_, end_, '"', '\\');
    if (stop == end_ || *stop != '"') return false;
    out = {p_, static_cast<std::size_t>(stop - p_)};
    p_ = stop + 1;
    return true;
  }

  // The same, with escapes.
  [[nodiscard]] bool text(std::string_view &out) {
    const char *const stop = find_either(begin_, p_, end_, '"', '\\');
    if (stop == end_) return false;
    if (*stop == '"') [[likely]] {
      out = {p_, static_cast<std::size_t>(stop - p_)};
      p_ = stop + 1;
      return true;
    }
    JsonScan rest(p_ - 1, end_, scratch_);
    if (!rest.escaped_string(p_, stop, out)) return false;
    p_ = rest.here();
    return true;
  }

  [[nodiscard]] bool language(std::uint8_t &out) {
    if (eat("JAVA\"")) [[likely]] {
      out = kLanguageJava;
      return true;
    }
    std::string_view name;
    if (!plain(name)) return false;
    out = language_of(name);
    return true;
  }

  [[nodiscard]] bool remark(std::string_view &out) {
    if (eat("null")) {
      out = {};
      return true;
    }
    return eat("\"") && plain(out);
  }

  [[nodiscard]] bool ignored() {
    std::string_view nobody_asks;
    return plain(nobody_asks);
  }

  // Behind the opening brace.
  [[nodiscard]] bool ext_fields(Header &out) {
    if (eat("}")) return true;
    for (;;) {
      p_ = short_fields(p_, end_, out);
      std::string_view value;
      if (const char letter = letter_key(); letter != '\0') {
        if (!text(value)) return false;
        out.set_letter(letter, value);
      } else {
        std::string_view key;
        if (!eat("\"") || !plain(key) || !eat(":\"") || !text(value) || !out.add(key, value)) return false;
      }
      if (p_ == end_) return false;
      if (*p_ == ',') {
        ++p_;
        continue;
      }
      return eat("}");
    }
  }

  // As many fields as begin at p with a one-letter key, have a short value without escapes and are followed by another one: those of a send but for one
  // or two. Returns where the next one begins.
  [[nodiscard]] static const char *short_fields(const char *p, const char *end, Header &out) {
#if defined(__SSE2__)
    constexpr std::ptrdiff_t kKey = 5, kVector = 16;  // "x":" and what is looked at behind it
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    while (end - p > kKey + kVector && p[0] == '"' && p[1] >= 'a' && p[1] <= 'z' && std::memcmp(p + 2, "\":\"", 3) == 0) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p + kKey));
      const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
      if (mask == 0) break;
      const char *const stop = p + kKey + __builtin_ctz(static_cast<unsigned>(mask));
      if (stop[0] != '"' || stop[1] != ',') break;
      out.set_letter(p[1], {p + kKey, static_cast<std::size_t>(stop - p - kKey)});
      p = stop + 2;
    }
#else
    (void)end;
    (void)out;
#endif
    return p;
  }

  // `"x":"` with a lower-case letter x, which is how the fields of the hot requests begin; 0: something else, nothing eaten.
  [[nodiscard]] char letter_key() {
    if (end_ - p_ < 5 || p_[0] != '"' || p_[1] < 'a' || p_[1] > 'z' || std::memcmp(p_ + 2, "\":\"", 3) != 0) return '\0';
    p_ += 5;
    return p_[-4];
  }

  const char *const begin_;
  const char *p_;
  const char *const end_;
  Scratch &scratch_;
};

}  // namespace

bool decode_compact_json_header(std::string_view text, Scratch &scratch, Header &out) {
  out.clear();
  return CompactReader(text, scratch).read(out);
}

std::uint8_t language_of(std::string_view text) {
  std::uint8_t ordinal = 0;
  if (parse_number(text, ordinal)) return ordinal < 14 ? ordinal : kLanguageOther;
  return language_code(text);
}

}  // namespace gantry::remoting
