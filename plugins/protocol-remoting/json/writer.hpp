// Appends strict, compact JSON to a string: no whitespace, keys always quoted (integer ones too), invalid UTF-8 replaced by U+FFFD.
// Strict enough for the C++ and Go clients. The one exception to strictness is raw_key, for the maps keyed by a MessageQueue that Java
// writes and reads. Commas are placed by the writer; the caller keeps begin and end in pairs and gives members in the order it wants.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting::json {

class Writer {
 public:
  explicit Writer(std::string &out) : out_(out) {}

  Writer &begin_object() { return open('{'); }
  Writer &end_object() { return close('}'); }
  Writer &begin_array() { return open('['); }
  Writer &end_array() { return close(']'); }

  Writer &key(std::string_view name);
  Writer &key(std::int64_t number);  // {"0":...}
  // A whole JSON text as the key: {{"queueId":0}:...}
  Writer &raw_key(std::string_view json);

  Writer &string(std::string_view text);
  Writer &number(std::int64_t value);
  Writer &boolean(bool value);
  Writer &null();
  Writer &raw(std::string_view json);  // a whole value, as it is

  Writer &member(std::string_view name, std::string_view text) { return key(name).string(text); }
  Writer &member(std::string_view name, const char *text) { return key(name).string(text); }
  Writer &member(std::string_view name, std::same_as<bool> auto value) { return key(name).boolean(value); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Writer &member(std::string_view name, T value) {
    return key(name).number(static_cast<std::int64_t>(value));
  }

 private:
  void comma() {
    if (need_comma_) out_.push_back(',');
    need_comma_ = true;
  }
  Writer &open(char c) {
    comma();
    out_.push_back(c);
    need_comma_ = false;
    return *this;
  }
  Writer &close(char c) {
    out_.push_back(c);
    need_comma_ = true;
    return *this;
  }
  Writer &colon() {
    out_.push_back(':');
    need_comma_ = false;
    return *this;
  }

  std::string &out_;
  bool need_comma_ = false;
};

// Appends `text` as a JSON string with its quotes.
void append_quoted(std::string &out, std::string_view text);

}  // namespace gantry::remoting::json
