#include "kernel/config/value.hpp"

#include "kernel/base/suggest.hpp"
#include "kernel/config/keys.hpp"

#include <charconv>

namespace gantry::config {
namespace {

std::string described(const Value &value) {
  switch (value.kind) {
    case ValueKind::kText:
    case ValueKind::kRaw: return "\"" + value.text + "\"";
    case ValueKind::kInt: return "the number " + std::to_string(value.number);
    case ValueKind::kFloat: return "a fractional number";
    case ValueKind::kBool: return value.number != 0 ? "true" : "false";
    case ValueKind::kList: return "a list";
    case ValueKind::kTable: return "a table";
    case ValueKind::kTime: return "a date or time";
  }
  return "something else";
}

bool textual(const Value &value) { return value.kind == ValueKind::kText || value.kind == ValueKind::kRaw; }

Converted fault(std::string message, std::string help = {}) { return Converted{std::nullopt, {std::move(message), std::move(help)}}; }

Converted wrong_type(const Value &value, const gantry_config_key &key, std::string help = {}) {
  // A secret must not reach a message, so only its type is told there.
  const bool secret = (key.flags & GANTRY_KEY_SECRET) != 0;
  return fault(std::string(key.name) + ": found " + (secret ? "another value" : described(value)) + ", wanted " + type_text(key),
               secret ? std::string() : std::move(help));
}

Converted in_range(TypedValue out, const gantry_config_key &key) {
  if ((key.min != 0 || key.max != 0) && (out.number < key.min || out.number > key.max)) {
    std::string found = std::to_string(out.number);
    if (key.type == GANTRY_KEY_SIZE) found = size_text(out.number);
    if (key.type == GANTRY_KEY_DURATION) found = duration_text(out.number);
    if ((key.flags & GANTRY_KEY_SECRET) != 0) found = "another value";
    return fault(std::string(key.name) + ": found " + found + ", wanted " + range_text(key));
  }
  return Converted{std::move(out), {}};
}

Converted to_bool(const Value &value, const gantry_config_key &key) {
  TypedValue out{key.type, 0, {}, {}};
  if (value.kind == ValueKind::kBool) {
    out.number = value.number;
  } else if (value.kind == ValueKind::kRaw && (value.text == "true" || value.text == "false")) {
    out.number = value.text == "true" ? 1 : 0;
  } else {
    return wrong_type(value, key, "write true or false, without quotes");
  }
  return Converted{std::move(out), {}};
}

Converted to_int(const Value &value, const gantry_config_key &key) {
  TypedValue out{key.type, value.number, {}, {}};
  if (value.kind == ValueKind::kInt) return in_range(std::move(out), key);
  if (!textual(value)) return wrong_type(value, key);
  const auto [end, failed] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), out.number);
  const bool is_number = failed == std::errc{} && end == value.text.data() + value.text.size();
  if (is_number && value.kind == ValueKind::kRaw) return in_range(std::move(out), key);
  return wrong_type(value, key, is_number ? "write the number without quotes" : "");
}

Converted to_size(const Value &value, const gantry_config_key &key) {
  TypedValue out{key.type, value.number, {}, {}};
  if (value.kind == ValueKind::kInt) return in_range(std::move(out), key);
  if (!textual(value)) return wrong_type(value, key);
  const auto bytes = parse_size(value.text);
  if (!bytes) return wrong_type(value, key, "units are B, KiB, MiB, GiB and TiB, as in \"64 MiB\"");
  out.number = *bytes;
  return in_range(std::move(out), key);
}

Converted to_duration(const Value &value, const gantry_config_key &key) {
  TypedValue out{key.type, 0, {}, {}};
  if (value.kind == ValueKind::kInt && value.number == 0) return in_range(std::move(out), key);
  if (value.kind == ValueKind::kInt)
    return wrong_type(value, key, "give the unit: \"" + std::to_string(value.number) + "s\" or \"" + std::to_string(value.number) + "ms\"");
  if (!textual(value)) return wrong_type(value, key);
  const auto ms = parse_duration(value.text);
  if (!ms) return wrong_type(value, key, "units are ms, s, m, h and d, as in \"500ms\" or \"72h\"");
  out.number = *ms;
  return in_range(std::move(out), key);
}

Converted to_text(const Value &value, const gantry_config_key &key) {
  if (!textual(value)) {
    const bool number = value.kind == ValueKind::kInt;
    return wrong_type(value, key, number ? "put it in quotes: \"" + std::to_string(value.number) + "\"" : "");
  }
  if (value.text.find('\0') != std::string::npos) return fault(std::string(key.name) + ": found a zero byte in the text");
  if (key.type == GANTRY_KEY_ENUM) {
    const auto words = enum_words(key);
    if (std::find(words.begin(), words.end(), value.text) == words.end()) {
      const std::string meant = nearest(value.text, words);
      return wrong_type(value, key, meant.empty() ? "" : "did you mean \"" + meant + "\"?");
    }
  }
  return Converted{TypedValue{key.type, 0, value.text, {}}, {}};
}

std::string unquoted(std::string_view item) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t begin = item.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  item = item.substr(begin, item.find_last_not_of(kBlank) - begin + 1);
  if (item.size() >= 2 && (item.front() == '"' || item.front() == '\'') && item.back() == item.front()) item = item.substr(1, item.size() - 2);
  return std::string(item);
}

Converted to_list(const Value &value, const gantry_config_key &key) {
  TypedValue out{key.type, 0, {}, {}};
  if (value.kind == ValueKind::kList) {
    for (const Value &item : value.items) {
      if (item.kind != ValueKind::kText)
        return fault(std::string(key.name) + ": found " + ((key.flags & GANTRY_KEY_SECRET) != 0 ? "another value" : described(item)) +
                     " in the list, wanted only strings");
      out.list.push_back(item.text);
    }
    return Converted{std::move(out), {}};
  }
  if (value.kind != ValueKind::kRaw)
    return wrong_type(value, key, value.kind == ValueKind::kText ? "write [\"" + value.text + "\"]" : "");
  std::string_view rest = value.text;
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (std::string item = unquoted(rest.substr(0, end)); !item.empty()) out.list.push_back(std::move(item));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return Converted{std::move(out), {}};
}

}  // namespace

std::vector<std::string_view> enum_words(const gantry_config_key &key) {
  std::vector<std::string_view> out;
  std::string_view rest = key.enum_values == nullptr ? "" : key.enum_values;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) out.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

Converted convert(const Value &value, const gantry_config_key &key) {
  switch (key.type) {
    case GANTRY_KEY_BOOL: return to_bool(value, key);
    case GANTRY_KEY_INT: return to_int(value, key);
    case GANTRY_KEY_SIZE: return to_size(value, key);
    case GANTRY_KEY_DURATION: return to_duration(value, key);
    case GANTRY_KEY_LIST: return to_list(value, key);
    default: return to_text(value, key);
  }
}

Converted default_of(const gantry_config_key &key) {
  if (key.default_text == nullptr) return Converted{TypedValue{key.type, 0, {}, {}}, {}};
  Value value;
  value.text = key.default_text;
  // A component may write its default as it stands in the file, with quotes.
  if (key.type != GANTRY_KEY_LIST) value.text = unquoted(value.text);
  Converted out = convert(value, key);
  if (!out.value) out.fault.message = "the plugin's own default does not fit: " + out.fault.message;
  return out;
}

}  // namespace gantry::config
