// One value of a parsed JSON text, with the conversions RocketMQ's peers (fastjson 1.x) make: numbers given as strings, enums by name or
// ordinal, booleans as 0/1. Values live in their Document and are read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace gantry::remoting::json {

enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

class Value {
 public:
  class Iterator {
   public:
    explicit Iterator(const Value *at) : at_(at) {}
    const Value &operator*() const { return *at_; }
    const Value *operator->() const { return at_; }
    Iterator &operator++() {
      at_ = at_->next_;
      return *this;
    }
    bool operator==(const Iterator &other) const = default;

   private:
    const Value *at_;
  };

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == Kind::kNull; }
  [[nodiscard]] bool is_string() const { return kind_ == Kind::kString; }
  [[nodiscard]] bool is_number() const { return kind_ == Kind::kNumber; }
  [[nodiscard]] bool is_array() const { return kind_ == Kind::kArray; }
  [[nodiscard]] bool is_object() const { return kind_ == Kind::kObject; }

  // String: its decoded bytes. Number and boolean: as written. Otherwise empty.
  [[nodiscard]] std::string_view text() const { return {text_, text_bytes_}; }
  // The bytes of this value in the parsed text, to relay it untouched. Valid as long as that text.
  [[nodiscard]] std::string_view raw() const { return {raw_, raw_bytes_}; }

  // Of a member of an object: its decoded key; "0" for the unquoted key 0. Empty for a key that is itself an object or array.
  [[nodiscard]] std::string_view key() const { return {key_, key_bytes_}; }
  // Set when the key is itself an object or array (`{{"topic":"t"}:1}`).
  [[nodiscard]] const Value *key_value() const { return key_value_; }

  // Elements or members, in the order written.
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] Iterator begin() const { return Iterator(child_); }
  [[nodiscard]] Iterator end() const { return Iterator(nullptr); }
  // The member of that key, the last one where it is repeated; NULL when absent or when this is no object.
  [[nodiscard]] const Value *find(std::string_view key) const;

  // Number, or decimal text of one ("12", 12, 12.0, "1e3"); fractions are cut off. Nothing when it is no number or does not fit.
  [[nodiscard]] std::optional<std::int64_t> to_int64() const;
  [[nodiscard]] std::optional<std::int32_t> to_int32() const;
  // true/false, 1/0, and the texts true/false/1/0/y/n/t/f in any case.
  [[nodiscard]] std::optional<bool> to_bool() const;
  // Position of the text in `names`, or the ordinal itself when it is a number below names.size().
  [[nodiscard]] std::optional<std::uint32_t> to_enum(std::initializer_list<std::string_view> names) const;

  // Of the member `key`; the fallback when it is absent, null or does not convert.
  [[nodiscard]] std::int64_t int64_or(std::string_view key, std::int64_t fallback) const;
  [[nodiscard]] std::int32_t int32_or(std::string_view key, std::int32_t fallback) const;
  [[nodiscard]] bool bool_or(std::string_view key, bool fallback) const;
  // Strings, and numbers and booleans as written.
  [[nodiscard]] std::string_view text_or(std::string_view key, std::string_view fallback) const;

 private:
  friend class Parser;

  const char *text_ = nullptr, *key_ = nullptr, *raw_ = nullptr;
  const Value *child_ = nullptr, *next_ = nullptr, *key_value_ = nullptr;
  std::uint32_t text_bytes_ = 0, key_bytes_ = 0, raw_bytes_ = 0;
  std::uint32_t count_ : 29 = 0;
  Kind kind_ : 3 = Kind::kNull;
};

static_assert(sizeof(Value) == 64, "one cache line; the node limit is chosen by it");

// Whole text as a decimal integer with an optional sign, or as a decimal fraction whose integer part is taken.
[[nodiscard]] std::optional<std::int64_t> parse_int64(std::string_view text);

}  // namespace gantry::remoting::json
