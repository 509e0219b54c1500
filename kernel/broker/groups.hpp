// Consumer groups: their settings and handles. Group objects live as long as the process.
#pragma once

#include <gantry/draft/broker.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

struct Group {
  std::string name;
  gantry_group handle = 0;
  bool consume_enabled = true;
  bool broadcast_enabled = true;
  std::uint32_t retry_queues = 1;
  std::uint32_t retry_max_times = 16;  // deliveries after the first, before a message becomes a dead letter
};

// Guarded by the broker's mutex.
class Groups {
 public:
  [[nodiscard]] Group *find(std::string_view name) {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
  }
  [[nodiscard]] Group *by_handle(gantry_group handle) {
    return handle == 0 || handle > groups_.size() ? nullptr : groups_[handle - 1].get();
  }
  Group &put(std::string_view name, bool *made) {
    Group *group = find(name);
    *made = group == nullptr;
    if (group != nullptr) return *group;
    groups_.push_back(std::make_unique<Group>());
    group = groups_.back().get();
    group->name = name;
    group->handle = groups_.size();
    by_name_.emplace(group->name, group);
    return *group;
  }

 private:
  std::vector<std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string_view, Group *> by_name_;
};

}  // namespace gantry::broker
