// Consumer groups: their settings and handles. Group objects live as long as the process; one that was deleted gets its handle back when it is made again,
// so that offsets which were kept are its own.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/admin.h>
#include <gantry/draft/broker.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

// RocketMQ's SubscriptionGroupConfig.
struct GroupSettings {
  bool consume_enabled = true;
  bool from_min_enabled = true;
  bool broadcast_enabled = true;
  bool orderly = false;
  bool notify_members = true;          // of members that come and go
  std::uint32_t retry_queues = 1;      // 0: what is given back is dropped
  std::uint32_t retry_max_times = 16;  // deliveries after the first, before a message becomes a dead letter
  std::int64_t broker_id = 0, slow_broker_id = 1;
  std::uint32_t sys_flag = 0;
  std::uint32_t consume_timeout_min = 15;

  bool operator==(const GroupSettings &) const = default;
};

struct Group : GroupSettings {
  std::string name;
  gantry_group handle = 0;
  bool exists = true;  // false: deleted, or only known from offsets that were kept

  [[nodiscard]] gantry_group_settings info() const;
};

// Guarded by the broker's mutex.
class Groups {
 public:
  [[nodiscard]] Group *find(std::string_view name) {
    Group *group = known(name);
    return group != nullptr && group->exists ? group : nullptr;
  }
  [[nodiscard]] Group *by_handle(gantry_group handle) {
    Group *group = at(handle);
    return group != nullptr && group->exists ? group : nullptr;
  }
  // Also of a group that does not exist any more.
  [[nodiscard]] Group *at(gantry_group handle) { return handle == 0 || handle > groups_.size() ? nullptr : groups_[handle - 1].get(); }
  // Makes it when there is none: with default settings, and existing.
  Group &put(std::string_view name, bool *made) {
    Group &group = meet(name);
    *made = !group.exists;
    group.exists = true;
    return group;
  }
  // Knows it from now on, but does not make it.
  Group &meet(std::string_view name) {
    if (Group *group = known(name); group != nullptr) return *group;
    groups_.push_back(std::make_unique<Group>());
    Group *group = groups_.back().get();
    group->name = name;
    group->handle = groups_.size();
    group->exists = false;
    by_name_.emplace(group->name, group);
    return *group;
  }
  void remove(Group &group) {
    static_cast<GroupSettings &>(group) = GroupSettings{};
    group.exists = false;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<Group>> &all() const { return groups_; }  // also those that do not exist

 private:
  [[nodiscard]] Group *known(std::string_view name) {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
  }

  std::vector<std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string_view, Group *> by_name_;
};

// Row format of a group's settings under the key "group/NAME": empty for the defaults, else version byte 1, flags 4, retry queues 4, retry max times 4,
// broker id 8, slow broker id 8, sys flag 4, consume timeout 4, big-endian.
[[nodiscard]] std::string encode_group(const GroupSettings &settings);
[[nodiscard]] Result<GroupSettings> decode_group(std::string_view row);
[[nodiscard]] GroupSettings settings_of(const gantry_group_settings &info);

}  // namespace gantry::broker
