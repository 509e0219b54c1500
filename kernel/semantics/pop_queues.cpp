// The state of popped queues and its rows; acknowledgements and changed times.
#include "kernel/semantics/pop.hpp"

#include "kernel/broker/meta_rows.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::semantics {

PopQueue &Pop::queue_of(gantry_group group, std::string_view group_name, broker::Topic *topic, std::uint32_t queue_no) {
  const broker::OffsetKey key{group, topic->handle, queue_no};
  std::unique_ptr<PopQueue> &slot = queues_[key];
  if (slot == nullptr) {
    slot = std::make_unique<PopQueue>();
    slot->key = key;
    slot->group = group_name;
    slot->topic = topic;
  }
  return *slot;
}

gantry_queue_stat Pop::stat_of(const PopQueue &queue) const {
  gantry_queue_stat stat{};
  const gantry_queue handle = queue.topic->queues[queue.key.queue_no].store_queue.load(std::memory_order_acquire);
  if (handle != GANTRY_NO_QUEUE) (void)core_.store.table->queue_stat(core_.store.self, handle, &stat);
  return stat;
}

std::optional<std::int64_t> Pop::committed_of(const broker::OffsetKey &key) {
  const std::lock_guard lock(core_.mutex);
  return core_.offsets.find(key);
}

// A queue that is new to the group begins by RocketMQ's rule. One whose offset somebody else set follows it, and forgets what is out.
void Pop::begin_or_follow(PopQueue &queue, bool from_end, RowOps &rows) {
  const std::optional<std::int64_t> committed = committed_of(queue.key);
  if (queue.cursor >= 0 && committed == queue.committed) return;
  if (queue.cursor >= 0) forget(queue, rows);
  if (committed.has_value()) {
    queue.cursor = queue.committed = *committed;
    queue.row_stale = true;
    return note_progress(queue, rows);
  }
  const gantry_queue_stat stat = stat_of(queue);
  queue.cursor = stat.min_off;
  std::int64_t zero = 0;
  const bool retry = queue.topic->name.starts_with("%RETRY%");
  if (from_end && !retry && broker_.offset_query(queue.key.group, queue.key.topic, queue.key.queue_no, 0, &zero) != GANTRY_OK)
    queue.cursor = std::max<std::int64_t>(stat.max_off - 1, 0);
  queue.committed = -1;
  note_progress(queue, rows);
}

void Pop::forget(PopQueue &queue, RowOps &rows) {
  hold_stale_ = true;
  for (auto *map : {&queue.checkpoints, &queue.held}) {
    for (auto &[off, ck] : *map) {
      disarm(ck);
      rows.emplace_back(checkpoint_key(queue, ck), std::string());
    }
    map->clear();
  }
  if (queue.order == nullptr) return;
  disarm(*queue.order);
  queue.order.reset();
  rows.emplace_back(order_key(queue), std::string());
}

// One message of a checkpoint is done with.
void Pop::settle(PopQueue &queue, Checkpoint &ck, std::uint32_t index, RowOps &rows) {
  hold_stale_ = true;
  ck.pending &= ~(1u << index);
  ck.reviving &= ~(1u << index);
  rows.emplace_back(checkpoint_key(queue, ck), ck.pending != 0 ? checkpoint_value(ck) : std::string());
  if (ck.pending != 0) return;
  disarm(ck);
  (ck.kind == Due::Kind::kHeld ? queue.held : queue.checkpoints).erase(ck.start_off);
}

// The group's offset follows the lowest message that is out, in the same write as what moved it.
void Pop::note_progress(PopQueue &queue, RowOps &rows) {
  const std::int64_t safe = queue.safe_off();
  if (safe != queue.committed) {
    const std::lock_guard lock(core_.mutex);
    if (core_.topics.by_handle(queue.key.topic) == nullptr || core_.groups.by_handle(queue.key.group) == nullptr) return;  // deleted: nothing is kept of it
    // Somebody moved the group: the next pop follows.
    if (queue.committed >= 0 && core_.offsets.find(queue.key) != queue.committed) return;
    core_.offsets.restore(queue.key, safe);
    queue.committed = safe;
    queue.row_stale = true;
    rows.emplace_back(broker::encode_offset_key(queue.group, queue.topic->name, queue.key.queue_no), broker::encode_offset_value(safe));
  }
  if (queue.row_stale) rows.emplace_back(pop_queue_key(queue), pop_queue_value(queue));
  queue.row_stale = false;
}

void Pop::arm(Due &due, std::int64_t visible_ms) {
  disarm(due);
  due.deadline_ms = core_.monotonic_ms() + std::max<std::int64_t>(visible_ms - core_.now_ms(), 0);
  due_.insert(due);
  due.on_wheel = true;
}

void Pop::disarm(Due &due) {
  if (due.on_wheel) due_.remove(due);
  due.on_wheel = false;
}

// OK without a completion when there is nothing to write or none is wanted, else PENDING. What the store has no room for is written later.
std::int32_t Pop::write(const RowOps &rows, std::uint64_t user_data, gantry_cq cq) {
  if (rows.empty()) return GANTRY_OK;
  // Like a commit of offsets: it survives kill -9, where the store is on a disk at all.
  const std::uint32_t level = std::min(core_.options.default_durability, GANTRY_DURABILITY_WRITTEN);
  std::vector<gantry_meta_op> ops;
  ops.reserve(rows.size());
  for (const auto &[key, value] : rows) ops.push_back({value.empty() ? GANTRY_META_DELETE : GANTRY_META_PUT, 0, str(key), str(value)});
  const std::int32_t status = core_.store.table->meta_write(core_.store.self, ops.data(), static_cast<std::uint32_t>(ops.size()), level, user_data, cq);
  if (status != GANTRY_OK) {
    for (const auto &[key, value] : rows) late_rows_[key] = value;
    return status;
  }
  if (!late_rows_.empty())
    for (const auto &[key, value] : rows) late_rows_.erase(key);
  return cq != 0 ? GANTRY_PENDING : GANTRY_OK;
}

void Pop::write_late_rows() {
  constexpr std::size_t kRowsPerCall = 256;
  while (!late_rows_.empty()) {
    RowOps rows;
    for (auto it = late_rows_.begin(); it != late_rows_.end() && rows.size() < kRowsPerCall; ++it) rows.emplace_back(*it);
    if (write(rows, 0, 0) != GANTRY_OK) return;
  }
}

std::int32_t Pop::ack(gantry_pop_handle *handles, std::uint32_t n, std::uint64_t user_data, gantry_cq cq) {
  RowOps rows;
  std::vector<PopQueue *> unblocked;
  std::int32_t status = GANTRY_OK;
  {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < n; ++i) {
      gantry_pop_handle &handle = handles[i];
      handle.status = GANTRY_POP_VOID;
      const auto it = queues_.find(broker::OffsetKey{handle.group, handle.topic, handle.queue_no});
      if (it == queues_.end()) continue;
      PopQueue &queue = *it->second;
      if ((handle.flags & GANTRY_POP_ORDER) != 0) {
        handle.status = ack_in_order(handle, queue, rows);
        if (handle.status == GANTRY_OK && queue.order != nullptr && !queue.order->blocks(core_.now_ms())) unblocked.push_back(&queue);
        continue;
      }
      int index = -1;
      Checkpoint *const ck = queue.find(handle.offset, &index);
      if (ck == nullptr || ck->pop_ms != handle.pop_ms || (ck->reviving >> index & 1) != 0) continue;
      settle(queue, *ck, static_cast<std::uint32_t>(index), rows);
      note_progress(queue, rows);
      handle.status = GANTRY_OK;
    }
    status = write(rows, user_data, cq);
  }
  for (const PopQueue *queue : unblocked) wake_group(queue->key.group, queue->topic);
  return status;
}

std::int32_t Pop::change_invisible(gantry_pop_change &change, gantry_cq cq) {
  RowOps rows;
  gantry_pop_handle &handle = change.handle;
  handle.status = GANTRY_POP_VOID;
  const std::lock_guard lock(mutex_);
  const auto it = queues_.find(broker::OffsetKey{handle.group, handle.topic, handle.queue_no});
  if (it == queues_.end()) return GANTRY_OK;
  PopQueue &queue = *it->second;
  if ((handle.flags & GANTRY_POP_ORDER) != 0) {
    handle.status = change_in_order(change, queue, rows) ? GANTRY_OK : GANTRY_POP_VOID;
    return write(rows, change.user_data, cq);
  }
  int index = -1;
  Checkpoint *const old = queue.find(handle.offset, &index);
  if (old == nullptr || old->pop_ms != handle.pop_ms || (old->reviving >> index & 1) != 0) return GANTRY_OK;
  // A new handle differs from the old one, even within a millisecond.
  const std::int64_t pop_ms = std::max(core_.now_ms(), old->pop_ms + 1), phys_pos = old->phys_pos;
  settle(queue, *old, static_cast<std::uint32_t>(index), rows);
  Checkpoint &held = queue.held[handle.offset];
  held.kind = Due::Kind::kHeld;
  held.queue = &queue;
  held.start_off = handle.offset;
  held.pop_ms = handle.pop_ms = pop_ms;
  held.invisible_ms = change.invisible_ms;
  held.phys_pos = phys_pos;
  held.n = held.pending = 1;
  held.diffs[0] = 0;
  held.keep_count = (change.flags & GANTRY_POP_KEEP_COUNT) != 0;
  arm(held, pop_ms + change.invisible_ms);
  rows.emplace_back(checkpoint_key(queue, held), checkpoint_value(held));
  note_progress(queue, rows);
  handle.status = GANTRY_OK;
  return write(rows, change.user_data, cq);
}

// What was just popped may lie before everything else that is out; the hold must not come after it.
void Pop::hold_from(std::int64_t phys_pos) {
  if (phys_pos >= hold_pos_) return;
  hold_pos_ = phys_pos;
  broker_.retention_hold().set(holder_, hold_pos_);
}

// Retention may go on up to the oldest message that is out. Not for each acknowledgement: the hold may stand too low for a moment.
void Pop::raise_hold() {
  constexpr std::int64_t kEveryMs = 1000;
  if (!hold_stale_ || core_.monotonic_ms() < next_raise_ms_) return;
  next_raise_ms_ = core_.monotonic_ms() + kEveryMs;
  hold_stale_ = false;
  hold_pos_ = INT64_MAX;
  for (const auto &[key, queue] : queues_) hold_pos_ = std::min(hold_pos_, queue->hold_pos());
  broker_.retention_hold().set(holder_, hold_pos_);
}

// What was out when the process ended is out again until its time is over; the handles are still good.
void Pop::restore() {
  const std::lock_guard lock(mutex_);
  RowOps rows;
  const auto queue_named = [this](const PopRow &row) -> PopQueue * {
    const std::lock_guard core_lock(core_.mutex);
    const broker::Group *group = core_.groups.find(row.group);
    broker::Topic *topic = core_.topics.find(row.topic);
    if (group == nullptr || topic == nullptr || row.queue_no >= topic->queues.size()) return nullptr;
    return &queue_of(group->handle, group->name, topic, row.queue_no);
  };
  // Queues first: their rows say which checkpoints still count.
  for (const char *kinds : {"q", "chi"}) {
    for (const auto &[whole_key, value] : core_.restored_rows) {
      PopRow row;
      if (!whole_key.starts_with(broker::kPopRows)) continue;
      if (whole_key == kPopOpRow) {
        if (value.size() == 8) op_cursor_ = static_cast<std::int64_t>(load_be64(value.data()));
        continue;
      }
      const bool known = decode_pop_key(std::string_view(whole_key).substr(broker::kPopRows.size()), &row);
      if (known && std::string_view(kinds).find(row.kind) == std::string_view::npos) continue;
      PopQueue *const queue = known ? queue_named(row) : nullptr;
      if (queue != nullptr && row.kind == 'q') {
        std::int64_t cursor = 0, committed = 0;
        if (decode_pop_queue(value, &cursor, &committed) && committed_of(queue->key) == committed) {
          queue->cursor = cursor;
          queue->committed = committed;
          continue;
        }
      } else if (queue != nullptr && queue->cursor >= 0 && row.kind == 'i') {
        auto order = std::make_unique<OrderInfo>();
        if (decode_order(value, order.get()) && order->next_off() >= queue->cursor) {
          order->kind = Due::Kind::kOrder;
          order->queue = queue;
          queue->order = std::move(order);
          arm_order(*queue);
          continue;
        }
      } else if (queue != nullptr && queue->cursor >= 0) {
        Checkpoint ck;
        if (decode_checkpoint(value, row.offset, &ck)) {
          ck.kind = row.kind == 'h' ? Due::Kind::kHeld : Due::Kind::kCheckpoint;
          ck.queue = queue;
          Checkpoint &placed = (row.kind == 'h' ? queue->held : queue->checkpoints)[row.offset];
          placed = ck;
          arm(placed, ck.pop_ms + ck.invisible_ms);
          continue;
        }
      }
      rows.emplace_back(whole_key, std::string());  // of a group that was moved, or nothing of ours
    }
  }
  std::erase_if(core_.restored_rows, [](const auto &row) { return row.first.starts_with(broker::kPopRows); });
  for (auto &[key, value] : rows) late_rows_[key] = value;
  hold_stale_ = true;
  raise_hold();
}

}  // namespace gantry::semantics
