// Pops in order: a queue gives nothing until everything that was popped from it is acknowledged or visible again. The cursor stays where the first
// message that is not acknowledged stands; nothing is stored again.
#include "kernel/semantics/pop.hpp"

#include <algorithm>

namespace gantry::semantics {

// RocketMQ's counts (ConsumerOrderInfoManager): a message that was among the last ones was delivered once more, unless the same attempt asks again.
void Pop::note_order(PopJob &job, PopQueue &queue, PopPart &part, RowOps &rows) {
  auto made = std::make_unique<OrderInfo>();
  made->kind = Due::Kind::kOrder;
  made->queue = &queue;
  made->attempt = job.attempt;
  made->pop_ms = job.pop_ms;
  const OrderInfo *const before = queue.order.get();
  const bool again = before != nullptr && !job.attempt.empty() && before->attempt == job.attempt;
  for (std::uint32_t i = 0; i < part.abi.n; ++i) {
    OrderInfo::Message message;
    message.offset = job.result->records[part.abi.first + i].queue_off;
    message.visible_ms = job.pop_ms + job.invisible_ms;
    if (before != nullptr) {
      const auto same = std::find_if(before->messages.begin(), before->messages.end(), [&](const auto &m) { return m.offset == message.offset; });
      if (same != before->messages.end()) message.deliveries = same->deliveries + (again ? 0 : 1);
    }
    part.deliveries.push_back(message.deliveries);
    made->messages.push_back(message);
  }
  if (queue.order != nullptr) disarm(*queue.order);
  queue.order = std::move(made);
  arm_order(queue);
  rows.emplace_back(order_key(queue), order_value(*queue.order));
}

// The block ends when the last message that is not acknowledged becomes visible.
void Pop::arm_order(PopQueue &queue) {
  std::int64_t free_ms = 0;
  for (const OrderInfo::Message &m : queue.order->messages)
    if (!m.acked) free_ms = std::max(free_ms, m.visible_ms);
  if (free_ms != 0)
    arm(*queue.order, free_ms);
  else
    disarm(*queue.order);
}

std::int32_t Pop::ack_in_order(const gantry_pop_handle &handle, PopQueue &queue, RowOps &rows) {
  if (queue.order == nullptr || handle.pop_ms != queue.order->pop_ms || handle.offset < queue.cursor) return GANTRY_POP_VOID;
  const auto it = std::find_if(queue.order->messages.begin(), queue.order->messages.end(), [&](const auto &m) { return m.offset == handle.offset; });
  if (it == queue.order->messages.end()) return GANTRY_E_INVALID;
  it->acked = true;
  const std::int64_t next = queue.order->next_off();
  if (next != queue.cursor) {
    queue.cursor = next;
    queue.row_stale = true;
    note_progress(queue, rows);
  }
  rows.emplace_back(order_key(queue), order_value(*queue.order));
  arm_order(queue);
  return GANTRY_OK;
}

bool Pop::change_in_order(gantry_pop_change &change, PopQueue &queue, RowOps &rows) {
  gantry_pop_handle &handle = change.handle;
  if (queue.order == nullptr || handle.pop_ms != queue.order->pop_ms) return false;
  const auto it = std::find_if(queue.order->messages.begin(), queue.order->messages.end(), [&](const auto &m) { return m.offset == handle.offset; });
  if (it == queue.order->messages.end() || it->acked) return false;
  it->visible_ms = core_.now_ms() + change.invisible_ms;
  change.invisible_ms = it->visible_ms - handle.pop_ms;
  rows.emplace_back(order_key(queue), order_value(*queue.order));
  arm_order(queue);
  return true;
}

}  // namespace gantry::semantics
