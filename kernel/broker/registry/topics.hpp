// Topics and their queues. Topic objects live as long as the process, also deleted ones, so their addresses and names may be kept.
#pragma once

#include "kernel/broker/admin/stats.hpp"

#include <gantry++/result.hpp>
#include <gantry/draft/broker.h>

#include <boost/unordered/unordered_flat_map.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::broker {

struct Waiter;

// One message queue of a topic. Small: a million of them must fit.
struct Queue {
  std::atomic<gantry_queue> store_queue{GANTRY_NO_QUEUE};  // made at the first message
  Waiter *waiters = nullptr;                               // parked fetches; guarded by the broker's mutex
  std::atomic<std::uint32_t> waiter_count{0};              // lets a completion skip the mutex when nobody waits
};

struct TopicSettings {
  std::uint32_t perm = GANTRY_PERM_READ | GANTRY_PERM_WRITE;
  std::uint32_t read_queues = 4, write_queues = 4;
  std::uint32_t sys_flag = 0;
  std::uint32_t flags = 0;  // GANTRY_TOPIC_*
  std::string_view attributes;  // topic_attributes.hpp; those of a Topic live as long as the process

  bool operator==(const TopicSettings &) const = default;
};

struct Topic {
  std::string name;
  gantry_topic handle = 0;
  TopicSettings settings;
  bool built_in = false;     // made at each start; cannot be deleted
  bool deleted = false;      // its handle is dead, its name perhaps another topic's
  bool sampled = false;
  bool by_priority = false;  // its message.type is PRIORITY: what lies in higher queues is popped first
  bool placeholder = false;  // recovery met its queues or offsets, but no settings yet
  std::string tail_prefix;  // topicLength, topic, two bytes for propertiesLength, CLUSTER property: what follows each body
  std::deque<Queue> queues; // grows, never shrinks: existing queues stay readable
  std::atomic<std::uint32_t> next_queue{0};  // round robin for messages without a queue
  Traffic puts;
  Samples samples;

  [[nodiscard]] std::uint32_t queue_limit() const {
    return settings.read_queues > settings.write_queues ? settings.read_queues : settings.write_queues;
  }
  [[nodiscard]] gantry_topic_info info() const;
};

// Guarded by the broker's mutex, except for what a Topic's atomics allow.
class Topics {
 public:
  explicit Topics(std::string cluster) : cluster_(std::move(cluster)) {}

  [[nodiscard]] Topic *find(std::string_view name);
  [[nodiscard]] Topic *by_handle(gantry_topic handle) {
    Topic *const topic = at(handle);
    return topic == nullptr || topic->deleted ? nullptr : topic;
  }
  // Also a deleted one.
  [[nodiscard]] Topic *at(gantry_topic handle) { return handle == 0 || handle > topics_.size() ? nullptr : topics_[handle - 1].get(); }
  // Makes it or changes its settings; true in `changed` when anything is different now. The name is valid.
  Topic &put(std::string_view name, const TopicSettings &settings, bool *changed);
  // The name is free again and the handle dead.
  void bury(Topic &topic) {
    by_name_.erase(topic.name);
    topic.deleted = true;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<Topic>> &all() const { return topics_; }  // also deleted ones

 private:
  std::string cluster_;
  std::set<std::string, std::less<>> attribute_texts_;  // every one that a topic ever had: few, and told to others by address
  std::vector<std::unique_ptr<Topic>> topics_;
  boost::unordered_flat_map<std::string_view, Topic *> by_name_;
};

// Row format of a topic's settings under the key "topic/NAME": version byte 1, then five big-endian 32-bit fields; version 2 has the
// attributes behind them, and is written only when there are some.
[[nodiscard]] std::string encode_settings(const TopicSettings &settings);
// The attributes point into the row.
[[nodiscard]] Result<TopicSettings> decode_settings(std::string_view row);

}  // namespace gantry::broker
