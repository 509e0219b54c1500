#include "kernel/broker/registry/topics.hpp"

#include "kernel/broker/registry/topic_attributes.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {
constexpr std::size_t kRowBytes = 21;  // without attributes
}  // namespace

gantry_topic_info Topic::info() const {
  gantry_topic_info out{};
  out.size = sizeof out;
  out.flags = settings.flags;
  out.topic = handle;
  out.name = str(name);
  out.perm = settings.perm;
  out.read_queues = settings.read_queues;
  out.write_queues = settings.write_queues;
  out.sys_flag = settings.sys_flag;
  out.attributes = str(settings.attributes);
  return out;
}

Topic *Topics::find(std::string_view name) {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Topic &Topics::put(std::string_view name, const TopicSettings &settings, bool *changed) {
  Topic *topic = find(name);
  *changed = topic == nullptr || !(topic->settings == settings);
  if (topic == nullptr) {
    auto made = std::make_unique<Topic>();
    topic = made.get();
    topic->name = name;
    topics_.push_back(std::move(made));
    topic->handle = topics_.size();
    topic->tail_prefix.push_back(static_cast<char>(name.size()));
    topic->tail_prefix.append(name).append(2, '\0');
    topic->tail_prefix.append("CLUSTER\x01").append(cluster_).push_back('\x02');
    by_name_.emplace(topic->name, topic);
  }
  topic->settings = settings;
  topic->settings.attributes = *attribute_texts_.emplace(settings.attributes).first;
  topic->by_priority = attribute(topic->settings.attributes, "message.type") == "PRIORITY";
  topic->placeholder = false;
  while (topic->queues.size() < topic->queue_limit()) topic->queues.emplace_back();
  return *topic;
}

std::string encode_settings(const TopicSettings &settings) {
  std::string row(kRowBytes, '\0');
  row[0] = settings.attributes.empty() ? 1 : 2;
  store_be32(row.data() + 1, settings.perm);
  store_be32(row.data() + 5, settings.read_queues);
  store_be32(row.data() + 9, settings.write_queues);
  store_be32(row.data() + 13, settings.sys_flag);
  store_be32(row.data() + 17, settings.flags);
  return row.append(settings.attributes);
}

Result<TopicSettings> decode_settings(std::string_view row) {
  ByteReader in(row);
  const std::uint8_t version = in.u8();
  TopicSettings settings;
  settings.perm = in.u32();
  settings.read_queues = in.u32();
  settings.write_queues = in.u32();
  settings.sys_flag = in.u32();
  settings.flags = in.u32();
  if (version == 2 && !in.failed()) settings.attributes = row.substr(kRowBytes);
  if (in.failed() || version < 1 || version > 2)
    return Error{GANTRY_E_CORRUPT, "topic row of version " + std::to_string(version) + " and " + std::to_string(row.size()) + " bytes; this version reads versions 1 and 2 of at least 21 bytes"};
  return settings;
}

}  // namespace gantry::broker
