#include "kernel/semantics/held_message.hpp"

#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/semantics/copy_forward.hpp"

#include <gantry++/str.hpp>

#include <charconv>

namespace gantry::semantics {

std::int32_t forward_held(broker::Core &core, broker::Relay &relay, const gantry_record &record, const Forwarding &to, std::string *why) {
  broker::StoredMessage message;
  if (!broker::parse_record(view(record.bytes), &message)) {
    *why = "is no message of format 1";
    return GANTRY_E_CORRUPT;
  }
  broker::PropertyEdit props(message.props);
  const std::string_view queue_text = props.get("REAL_QID");
  broker::RelayItem item;
  item.topic = to.instead;
  if (item.topic == nullptr) {
    (void)std::from_chars(queue_text.data(), queue_text.data() + queue_text.size(), item.queue_no);
    const std::lock_guard lock(core.mutex);
    item.topic = core.topics.find(props.get("REAL_TOPIC"));
    if (item.topic != nullptr && item.queue_no >= item.topic->queues.size()) item.topic = nullptr;
  }
  if (item.topic == nullptr) {
    *why = "is for queue '" + std::string(queue_text) + "' of topic '" + std::string(props.get("REAL_TOPIC")) + "', which does not exist";
    return GANTRY_E_NOT_FOUND;
  }
  props.remove("CLUSTER");
  const std::string came = std::to_string(message.store_ms), went = std::to_string(to.now_ms);
  if (to.timed) {
    if (!is_copy(message)) props.set("TIMER_ENQUEUE_MS", came);  // a copy says when it came first
    message.prepared_pos = 0;
    props.set("TIMER_DEQUEUE_MS", went);
  }
  const std::string text = props.text();
  item.message = &message;
  item.props = text;
  item.tag = broker::java_hash(props.get("TAGS"));
  item.second = to.op;
  item.sys_flags = message.sys_flags | (to.committed ? broker::kSysFlagCommit : 0);
  if (to.committed) message.prepared_pos = message.phys_pos;
  item.reconsume_times = message.reconsume_times;
  item.store_ms = to.now_ms;
  item.done = to.done;
  item.arg = to.arg;
  item.user_data = to.user_data;
  const std::int32_t status = relay.store(item);
  if (status == GANTRY_E_NOT_FOUND) *why = "is for topic '" + item.topic->name + "', which was deleted";
  if (status == GANTRY_E_LIMIT) *why = "does not fit with its properties any more";
  return status;
}

}  // namespace gantry::semantics
