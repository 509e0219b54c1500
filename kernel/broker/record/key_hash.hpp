// What messages are found by: 64-bit XXH3 of "topic#key" for each word of KEYS and for UNIQ_KEY.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::broker {

// Further words of KEYS are stored with the message, but not found by: the store's index must stay smaller than its log.
inline constexpr std::uint32_t kMaxKeysPerMessage = 64;

class KeyHasher {
 public:
  explicit KeyHasher(std::string_view topic) : topic_(topic) {}

  [[nodiscard]] std::uint64_t operator()(std::string_view key) {
    constexpr std::size_t kInPlace = sizeof text_;
    if (topic_.size() + 1 + key.size() > kInPlace) {
      const std::string whole = std::string(topic_) + "#" + std::string(key);
      return XXH3_64bits(whole.data(), whole.size());
    }
    if (!prefixed_) {
      std::memcpy(text_, topic_.data(), topic_.size());
      text_[topic_.size()] = '#';
      prefixed_ = true;
    }
    std::memcpy(text_ + topic_.size() + 1, key.data(), key.size());
    return XXH3_64bits(text_, topic_.size() + 1 + key.size());
  }

 private:
  std::string_view topic_;
  bool prefixed_ = false;
  char text_[512];
};

// Calls fn(word) for each word of KEYS until it says false.
template <typename Fn>
void each_key(std::string_view keys, Fn fn) {
  for (std::size_t at = 0; at < keys.size();) {
    const std::size_t end = std::min(keys.find(' ', at), keys.size());
    if (end > at && !fn(keys.substr(at, end - at))) return;
    at = end + 1;
  }
}

// Appends the hashes of one message, each once; returns how many. Without keys it costs nothing.
[[nodiscard]] inline std::uint32_t add_key_hashes(std::string_view topic, std::string_view keys, std::string_view uniq_key, std::vector<std::uint64_t> &out) {
  if (keys.empty() && uniq_key.empty()) return 0;
  KeyHasher hash(topic);
  const std::size_t begin = out.size();
  const auto add = [&](std::string_view key) {
    const std::uint64_t h = hash(key);
    if (std::find(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), h) == out.end()) out.push_back(h);
    return out.size() - begin < kMaxKeysPerMessage;
  };
  if (!uniq_key.empty()) (void)add(uniq_key);
  each_key(keys, add);
  return static_cast<std::uint32_t>(out.size() - begin);
}

}  // namespace gantry::broker
