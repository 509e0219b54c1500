// Consumer offsets of (group, topic, queue): in memory, with the rows that still have to be written.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/broker.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

struct OffsetKey {
  gantry_group group = 0;
  gantry_topic topic = 0;
  std::uint32_t queue_no = 0;

  bool operator==(const OffsetKey &) const = default;
};

struct OffsetKeyHash {
  std::size_t operator()(const OffsetKey &k) const noexcept {
    std::uint64_t h = k.group * 0x9E3779B97F4A7C15ull ^ k.topic * 0xC2B2AE3D27D4EB4Full ^ k.queue_no * 0x165667B19E3779F9ull;
    return h ^ h >> 29;
  }
};

// Guarded by the broker's mutex.
class Offsets {
 public:
  [[nodiscard]] std::optional<std::int64_t> find(const OffsetKey &key) const {
    const auto it = table_.find(key);
    return it == table_.end() ? std::nullopt : std::optional(it->second.offset);
  }
  // Sets the offset; lower values rewind. Marks the row as still to be written when the value is new.
  void set(const OffsetKey &key, std::int64_t offset) {
    Entry &entry = entry_of(key);
    if (entry.offset == offset) return;
    entry.offset = offset;
    if (!entry.dirty) {
      entry.dirty = true;
      dirty_.push_back(key);
    }
  }
  // What recovery found, or what was written already: not dirty.
  void restore(const OffsetKey &key, std::int64_t offset) { entry_of(key) = Entry{offset, false}; }
  // Rows changed since the last call.
  [[nodiscard]] std::vector<OffsetKey> take_dirty() {
    for (const OffsetKey &key : dirty_) table_[key].dirty = false;
    return std::exchange(dirty_, {});
  }
  // The row still has to be written after all, unless the offset was forgotten meanwhile.
  void mark_dirty(const OffsetKey &key) {
    const auto it = table_.find(key);
    if (it == table_.end() || it->second.dirty) return;
    it->second.dirty = true;
    dirty_.push_back(key);
  }
  // Forgets a group's offsets in a topic, 0 = any, and tells which those were.
  std::vector<OffsetKey> erase(gantry_group group, gantry_topic topic) {
    const auto meant = [&](const OffsetKey &key) { return (group == 0 || key.group == group) && (topic == 0 || key.topic == topic); };
    std::vector<OffsetKey> gone;
    for (const auto &[key, entry] : table_)
      if (meant(key)) gone.push_back(key);
    for (const OffsetKey &key : gone) {
      table_.erase(key);
      const auto groups = groups_.find(key.topic);
      if (--groups->second[key.group] == 0) groups->second.erase(key.group);
      if (groups->second.empty()) groups_.erase(groups);
    }
    std::erase_if(dirty_, meant);
    return gone;
  }
  [[nodiscard]] std::vector<OffsetKey> keys_of(gantry_topic topic) const {
    std::vector<OffsetKey> out;
    for (const auto &[key, entry] : table_)
      if (key.topic == topic) out.push_back(key);
    return out;
  }
  [[nodiscard]] std::set<gantry_group> groups_of(gantry_topic topic) const {
    std::set<gantry_group> out;
    each_group_of(topic, [&out](gantry_group group) { out.insert(group); });
    return out;
  }
  // Groups with an offset in any queue of the topic.
  template <typename Fn>
  void each_group_of(gantry_topic topic, Fn fn) const {
    const auto it = groups_.find(topic);
    if (it == groups_.end()) return;
    for (const auto &[group, queues] : it->second) fn(group);
  }
  template <typename Fn>
  void each(Fn fn) const {
    for (const auto &[key, entry] : table_) fn(key, entry.offset);
  }
  [[nodiscard]] bool has_dirty() const { return !dirty_.empty(); }

 private:
  struct Entry {
    std::int64_t offset = -1;
    bool dirty = false;
  };
  Entry &entry_of(const OffsetKey &key) {
    const auto [it, made] = table_.try_emplace(key);
    if (made) ++groups_[key.topic][key.group];
    return it->second;
  }

  std::unordered_map<OffsetKey, Entry, OffsetKeyHash> table_;
  std::unordered_map<gantry_topic, std::map<gantry_group, std::uint32_t>> groups_;  // queues with an offset, by topic and group
  std::vector<OffsetKey> dirty_;
};

// Row key "offset/GROUP\0TOPIC\0" + big-endian 32-bit queue number; value: big-endian 64-bit offset.
struct OffsetRow {
  std::string_view group, topic;
  std::uint32_t queue_no;
  std::int64_t offset;
};
[[nodiscard]] std::string encode_offset_key(std::string_view group, std::string_view topic, std::uint32_t queue_no);
[[nodiscard]] std::string encode_offset_value(std::int64_t offset);
[[nodiscard]] Result<OffsetRow> decode_offset(std::string_view key_without_prefix, std::string_view value);

}  // namespace gantry::broker
