#include "kernel/broker/consumption.hpp"

#include <gantry++/str.hpp>

#include <limits>

namespace gantry::broker {

void Consumption::on_asked(void *self, const gantry_queue_name *queues, std::uint32_t n, gantry_consumed *out) noexcept {
  auto &consumption = *static_cast<Consumption *>(self);
  const std::lock_guard lock(consumption.core_.mutex);
  for (std::uint32_t i = 0; i < n; ++i) out[i] = consumption.consumed(queues[i]);
}

// Groups that have committed an offset anywhere in the topic, and those that are subscribed to it now: where they have committed none they have consumed nothing.
gantry_consumed Consumption::consumed(const gantry_queue_name &queue) {
  constexpr gantry_consumed kNobody{std::numeric_limits<std::int64_t>::max(), {}};
  const Topic *const topic = core_.topics.find(view(queue.topic));
  // What waits in topics of the broker's own is held by a retention hold for as long as it is needed.
  if (topic == nullptr || (topic->settings.flags & GANTRY_TOPIC_SYSTEM) != 0) return kNobody;
  gantry_consumed out{0, {}};
  const auto meet = [&](gantry_group group, std::string_view name) {
    const std::int64_t at = core_.offsets.find(OffsetKey{group, topic->handle, queue.queue_no}).value_or(0);
    if (out.group.n == 0 || at < out.offset) out = {at, str(name)};
  };
  core_.offsets.each_group_of(topic->handle, [&](gantry_group group) {
    if (const Group *known = core_.groups.by_handle(group); known != nullptr) meet(group, known->name);  // a deleted one wants nothing
  });
  for (const auto &[name, group] : core_.sessions.groups()) {
    if (group.model != GANTRY_MODEL_CLUSTERING || !group.subscriptions.contains(topic->name)) continue;
    // The session's name may go with its last member; the group's stays.
    if (const Group *known = core_.groups.find(name); known != nullptr) meet(known->handle, known->name);
  }
  return out;
}

}  // namespace gantry::broker
