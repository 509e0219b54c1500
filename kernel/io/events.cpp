// Broker events on their way to protocol instances: collected during a turn, handed over in one batch per instance.
#include <algorithm>

#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"

namespace gantry::io {

void Shard::add_event(gantry_conn conn, const gantry_event &event) {
  if (conn == 0) {
    const auto same = [&](const PendingEvent &other) {
      return other.conn == 0 && other.event.kind == event.kind && other.event.subject == event.subject && other.event.object == event.object;
    };
    if (std::any_of(events_.begin(), events_.end(), same)) return;
  }
  events_.push_back({conn, event});
}

bool Shard::deliver_events() {
  if (events_.empty()) return false;
  events_running_.clear();
  events_running_.swap(events_);
  std::vector<Instance *> instances;
  bool to_all = false;
  for (const PendingEvent &pending : events_running_) {
    to_all |= pending.conn == 0;
    const Connection *conn = pending.conn == 0 ? nullptr : connections_.find(pending.conn);
    if (conn == nullptr || !conn->opened) continue;
    Instance *owner = conn->origin->instance;
    if (std::find(instances.begin(), instances.end(), owner) == instances.end()) instances.push_back(owner);
  }
  if (to_all) {
    const std::lock_guard lock(set.instances_mutex);
    for (const auto &instance : set.instances)
      if (instance->listens.load() && std::find(instances.begin(), instances.end(), instance.get()) == instances.end())
        instances.push_back(instance.get());
  }
  std::vector<gantry_event> batch;
  for (Instance *instance : instances) {
    batch.clear();
    for (const PendingEvent &pending : events_running_) {
      const Connection *conn = pending.conn == 0 ? nullptr : connections_.find(pending.conn);
      const bool wanted = pending.conn == 0 ? instance->listens.load() : conn != nullptr && conn->opened && conn->origin->instance == instance;
      if (wanted) batch.push_back(pending.event);
    }
    if (!batch.empty()) instance->protocol->on_events(instance->self(), index, batch.data(), static_cast<std::uint32_t>(batch.size()));
  }
  return true;
}

}  // namespace gantry::io
