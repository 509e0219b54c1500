// Topics and groups: finding, making, changing, listing.
#include "kernel/broker/broker.hpp"
#include "kernel/broker/meta_rows.hpp"
#include "kernel/broker/registry/names.hpp"
#include "kernel/broker/registry/topic_attributes.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::broker {

namespace {

// What one topic may have; RocketMQ has no limit, a typo should not cost gigabytes.
constexpr std::uint32_t kMaxQueuesPerTopic = 65536;

std::int32_t fail(gantry_error *err, std::int32_t code, std::uint32_t subject, std::string text) {
  return report(Error{code, std::move(text), static_cast<std::int32_t>(subject)}, err);
}

std::string name_problem(std::string_view name, std::size_t max_bytes) {
  if (name.empty()) return "the specified topic is blank";
  if (name.size() > max_bytes) return "the specified topic is longer than topic max length " + std::to_string(max_bytes) + ".";
  return "the specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$";
}

}  // namespace

std::int32_t Broker::topic_find(std::string_view name, gantry_topic_info *out) {
  const std::lock_guard lock(core_.mutex);
  const Topic *topic = core_.topics.find(name);
  if (topic == nullptr) return GANTRY_E_NOT_FOUND;
  *out = topic->info();
  return GANTRY_OK;
}

std::int32_t Broker::topic_ensure(std::string_view name, std::string_view default_topic, std::int32_t queues, std::uint32_t sys_flag, gantry_topic_info *out, gantry_error *err) {
  TopicSettings settings;
  {
    const std::lock_guard lock(core_.mutex);
    if (const Topic *topic = core_.topics.find(name); topic != nullptr) {
      *out = topic->info();
      return GANTRY_OK;
    }
    if (!valid_name(name, kMaxTopicNameBytes)) return fail(err, GANTRY_E_INVALID, GANTRY_SUBJECT_TOPIC, name_problem(name, kMaxTopicNameBytes));
    const bool retry = name.substr(0, kRetryPrefix.size()) == kRetryPrefix || name.substr(0, kDlqPrefix.size()) == kDlqPrefix;
    const Topic *origin = core_.topics.find(default_topic);
    const bool allowed = origin != nullptr && (origin->settings.perm & GANTRY_PERM_INHERIT) != 0 && (core_.options.auto_create_topics || default_topic != kDefaultTopic);
    if (!retry && !allowed)
      return fail(err, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, "topic[" + std::string(name) + "] not exist, and it may not be made from default topic [" + std::string(default_topic) + "]; create it first or allow [broker] auto_create_topics");
    if (retry) {
      const Group *const group = core_.groups.find(name.starts_with(kRetryPrefix) ? name.substr(kRetryPrefix.size()) : std::string_view());
      settings.read_queues = settings.write_queues = group != nullptr && group->retry_queues > 0 ? group->retry_queues : 1;
    } else {
      const auto wanted = static_cast<std::uint32_t>(std::max(queues, 0));
      settings.read_queues = settings.write_queues = std::min(wanted, origin->settings.write_queues);
      settings.perm = origin->settings.perm & ~GANTRY_PERM_INHERIT;
    }
    settings.sys_flag = sys_flag;
  }
  return change_topic(name, settings, {}, out, err);
}

std::int32_t Broker::topic_upsert(const gantry_topic_info &info, gantry_error *err) {
  const std::string_view name = view(info.name);
  if (!valid_name(name, kMaxTopicNameBytes)) return fail(err, GANTRY_E_INVALID, GANTRY_SUBJECT_TOPIC, name_problem(name, kMaxTopicNameBytes));
  if (info.read_queues > kMaxQueuesPerTopic || info.write_queues > kMaxQueuesPerTopic)
    return fail(err, GANTRY_E_LIMIT, GANTRY_SUBJECT_QUEUE, "topic[" + std::string(name) + "] may have at most " + std::to_string(kMaxQueuesPerTopic) + " queues");
  {
    const std::lock_guard lock(core_.mutex);
    const Topic *topic = core_.topics.find(name);
    if (topic != nullptr && (topic->settings.flags & GANTRY_TOPIC_SYSTEM) != 0)
      return fail(err, GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, "the topic[" + std::string(name) + "] is conflict with system topic.");
  }
  TopicSettings settings;
  settings.perm = info.perm;
  settings.read_queues = info.read_queues;
  settings.write_queues = info.write_queues;
  settings.sys_flag = info.sys_flag;
  settings.flags = info.flags & GANTRY_TOPIC_ORDER;
  gantry_topic_info made{};
  return change_topic(name, settings, view(info.attributes), &made, err);
}

// The row enters the log before any record of the topic can, so a topic is never younger on disk than its messages.
std::int32_t Broker::change_topic(std::string_view name, TopicSettings settings, std::string_view attribute_changes, gantry_topic_info *out, gantry_error *err) {
  bool changed = false;
  {
    // The mutex is kept meanwhile, so that a deletion comes before both or after both.
    const std::lock_guard lock(core_.mutex);
    if (core_.burying.contains(name)) return fail(err, GANTRY_E_AGAIN, GANTRY_SUBJECT_STORE, "topic[" + std::string(name) + "] is just being deleted; try again");
    const Topic *const known = core_.topics.find(name);
    const bool create = known == nullptr || known->placeholder;
    const auto attributes = change_attributes(create ? std::string_view() : known->settings.attributes, attribute_changes, create);
    if (!attributes) return fail(err, attributes.error().code, GANTRY_SUBJECT_TOPIC, "topic[" + std::string(name) + "]: " + attributes.error().text);
    settings.attributes = *attributes;
    const std::int32_t status = persist(kTopicRows, name, encode_settings(settings));
    if (status != GANTRY_OK) return fail(err, status, GANTRY_SUBJECT_STORE, "topic[" + std::string(name) + "] was not made: the store does not take its settings (code " + std::to_string(status) + ")");
    *out = core_.topics.put(name, settings, &changed).info();
    if (changed) {
      core_.version.timestamp_ms = core_.now_ms();
      ++core_.version.counter;
    }
  }
  if (changed) topics_changed();
  return GANTRY_OK;
}

std::int32_t Broker::persist(std::string_view prefix, std::string_view name, std::string_view value) {
  std::string key(prefix);
  key += name;
  const gantry_meta_op op{GANTRY_META_PUT, 0, str(key), str(value)};
  return core_.store.table->meta_write(core_.store.self, &op, 1, GANTRY_DURABILITY_DEFAULT, 0, 0);
}

void Broker::topics_changed() {
  gantry_event event{};
  event.kind = GANTRY_EVENT_TOPICS_CHANGED;
  core_.events.to_all(event);
}

void Broker::topic_list(gantry_topic_fn fn, void *arg) {
  std::vector<gantry_topic_info> all;
  {
    const std::lock_guard lock(core_.mutex);
    all.reserve(core_.topics.all().size());
    for (const auto &topic : core_.topics.all())
      if (!topic->deleted) all.push_back(topic->info());
  }
  for (const gantry_topic_info &info : all) fn(arg, &info);
}

gantry_topics_version Broker::topics_version() {
  const std::lock_guard lock(core_.mutex);
  return core_.version;
}

gantry_group Broker::group_find(std::string_view name, bool create) {
  {
    const std::lock_guard lock(core_.mutex);
    if (const Group *group = core_.groups.find(name); group != nullptr) return group->handle;
  }
  if (!create || !core_.options.auto_create_groups || !valid_name(name, kMaxGroupBytes)) return 0;
  const std::lock_guard lock(core_.mutex);
  if (const Group *group = core_.groups.find(name); group != nullptr) return group->handle;
  if (persist(kGroupRows, name, {}) != GANTRY_OK) return 0;
  bool made = false;
  return core_.groups.put(name, &made).handle;
}

std::string_view Broker::group_name(gantry_group handle) {
  const std::lock_guard lock(core_.mutex);
  const Group *group = core_.groups.by_handle(handle);
  return group == nullptr ? std::string_view() : std::string_view(group->name);
}

}  // namespace gantry::broker
