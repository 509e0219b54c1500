// Big-endian cursors over bytes from strangers. One place does all bounds checks, so parsers read like the format they parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gantry {

inline std::uint16_t load_be16(const void *p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t load_be32(const void *p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const void *p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline void store_be16(void *p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be32(void *p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be64(void *p, std::uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof v);
}

// Reads forward. A read past the end sets failed() and yields zeros and empty views; check once at the end.
class ByteReader {
 public:
  ByteReader(const void *data, std::size_t size) : p_(static_cast<const std::uint8_t *>(data)), end_(p_ + size) {}
  explicit ByteReader(std::string_view bytes) : ByteReader(bytes.data(), bytes.size()) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }
  [[nodiscard]] bool at_end() const { return p_ == end_; }
  [[nodiscard]] const std::uint8_t *here() const { return p_; }

  std::uint8_t u8() { return take(1) ? p_[-1] : 0; }
  std::uint16_t u16() { return take(2) ? load_be16(p_ - 2) : 0; }
  std::uint32_t u32() { return take(4) ? load_be32(p_ - 4) : 0; }
  std::uint64_t u64() { return take(8) ? load_be64(p_ - 8) : 0; }
  std::int16_t i16() { return static_cast<std::int16_t>(u16()); }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::string_view bytes(std::size_t n) {
    return take(n) ? std::string_view(reinterpret_cast<const char *>(p_ - n), n) : std::string_view();
  }
  void skip(std::size_t n) { (void)take(n); }

 private:
  bool take(std::size_t n) {
    if (failed_ || n > left()) {
      failed_ = true;
      return false;
    }
    p_ += n;
    return true;
  }

  const std::uint8_t *p_;
  const std::uint8_t *end_;
  bool failed_ = false;
};

}  // namespace gantry
