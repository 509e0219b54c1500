#include "kernel/broker/registry/topic_attributes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <set>
#include <span>

namespace gantry::broker {

namespace {

constexpr std::string_view kQueueTypes[] = {"BatchCQ", "SimpleCQ"};
constexpr std::string_view kCleanupPolicies[] = {"DELETE"};
constexpr std::string_view kMessageTypes[] = {"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY", "LITE"};
constexpr std::int64_t kLiteExpirationMaxMin = 30 * 24 * 60;

// What 5.5.0 knows. An attribute has a set of words or a range of numbers.
struct Known {
  std::string_view key;
  bool changeable;  // also after the topic was made
  std::span<const std::string_view> words;
  std::int64_t min, max;
  std::string_view hint;  // for words that RocketMQ has and this broker has not
};
constexpr std::array kKnown = {
    Known{"cleanup.policy", false, kCleanupPolicies, 0, 0, "; COMPACTION is not offered: the log is cut by age and size alone"},
    Known{"lite.topic.expiration", true, {}, -1, kLiteExpirationMaxMin, ""},
    Known{"message.type", true, kMessageTypes, 0, 0, "; MIXED is not supported, as in RocketMQ unless enableMixedMessageType is set"},
    Known{"queue.type", false, kQueueTypes, 0, 0, ""},
    Known{"reserve.time", true, {}, -1, INT64_MAX, ""},
};

Error refuse(std::string text) { return Error{GANTRY_E_INVALID, std::move(text)}; }

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxBytes = 64;
  return "\"" + std::string(text.substr(0, kMaxBytes)) + (text.size() > kMaxBytes ? "...\"" : "\"");
}

const Known *known(std::string_view key) {
  const auto at = std::find_if(kKnown.begin(), kKnown.end(), [key](const Known &each) { return each.key == key; });
  return at == kKnown.end() ? nullptr : &*at;
}

Result<void> check_value(const Known &about, std::string_view value) {
  const std::string where = "attribute " + std::string(about.key) + ": found " + in_quotes(value) + ", wanted ";
  if (!about.words.empty()) {
    if (std::find(about.words.begin(), about.words.end(), value) != about.words.end()) return {};
    std::string text = where + "one of";
    for (const std::string_view word : about.words) text += " " + std::string(word);
    return refuse(text + std::string(about.hint));
  }
  std::int64_t number = 0;
  const char *const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error == std::errc() && stop == end && number >= about.min && number <= about.max) return {};
  return refuse(where + "a number from " + std::to_string(about.min) + " to " + std::to_string(about.max));
}

using Attributes = std::map<std::string_view, std::string_view>;

// False: no further item.
bool next_item(std::string_view &rest, std::string_view &item) {
  if (rest.empty()) return false;
  const std::size_t end = std::min(rest.find(','), rest.size());
  item = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return true;
}

// Without its sign and value.
std::string_view key_of(std::string_view item) {
  const std::string_view key = item.substr(0, item.find('='));
  return key.substr(key.empty() ? 0 : 1);
}

Result<void> apply(std::string_view item, std::string_view key, bool create, Attributes &out) {
  const std::size_t middle = item.find('=');
  const bool adds = item.starts_with('+') && middle != std::string_view::npos;
  if (!adds && !(item.starts_with('-') && middle == std::string_view::npos))
    return refuse("attribute change " + in_quotes(item) + " cannot be read; write +key=value to set one, -key to remove one");
  const Known *const about = known(key);
  if (about == nullptr) return refuse("unsupported key: there is no topic attribute " + in_quotes(key));
  if (!create && !about->changeable) return refuse("attribute " + std::string(key) + " can only be set when the topic is made; make a new topic");
  if (adds) {
    GANTRY_TRY(check_value(*about, item.substr(middle + 1)));
    out[about->key] = item.substr(middle + 1);
    return {};
  }
  if (create) return refuse("attribute " + std::string(key) + " cannot be removed from a topic that is only being made");
  if (out.erase(key) == 0) return refuse("attribute " + std::string(key) + " cannot be removed: the topic does not have it");
  return {};
}

}  // namespace

std::string_view attribute(std::string_view attributes, std::string_view key) {
  std::string_view item;
  while (next_item(attributes, item))
    if (item.size() > key.size() && item.starts_with(key) && item[key.size()] == '=') return item.substr(key.size() + 1);
  return {};
}

Result<std::string> change_attributes(std::string_view current, std::string_view changes, bool create) {
  if (changes.empty()) return std::string(current);
  Attributes all;
  std::set<std::string_view> changed;
  std::string_view item;
  while (next_item(current, item)) all.emplace(item.substr(0, item.find('=')), item.substr(item.find('=') + 1));
  while (next_item(changes, item)) {
    const std::string_view key = key_of(item);
    if (!changed.insert(key).second) return refuse("attribute " + in_quotes(key) + " is changed twice in one request");
    if (auto applied = apply(item, key, create, all); !applied) return std::move(applied.error());
  }
  std::string out;
  for (const auto &[key, value] : all) out += (out.empty() ? "" : ",") + std::string(key) + "=" + std::string(value);
  return out;
}

}  // namespace gantry::broker
