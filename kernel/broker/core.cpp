#include "kernel/broker/core.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

gantry_queue Core::open_queue(Topic &topic, std::uint32_t queue_no, std::int32_t *status) {
  Queue &queue = topic.queues[queue_no];
  gantry_queue handle = queue.store_queue.load(std::memory_order_relaxed);
  if (handle != GANTRY_NO_QUEUE) return handle;
  *status = GANTRY_E_NOT_FOUND;
  if (topic.deleted) return GANTRY_NO_QUEUE;
  *status = store.table->queue_open(store.self, str(topic.name), queue_no, GANTRY_QUEUE_NORMAL, &handle);
  if (*status != GANTRY_OK) return GANTRY_NO_QUEUE;
  queue.store_queue.store(handle, std::memory_order_release);
  return handle;
}

}  // namespace gantry::broker
