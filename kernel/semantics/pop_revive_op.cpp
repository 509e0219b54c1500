// The op queue: each record that was stored again stands there too, tagged with the identity of the delivery that it follows. One record is both the
// message and the note of it. The note is needed only until the rows say the same; a row says up to where that is so, the rest is read after a restart,
// before anything is stored again.
#include "kernel/semantics/pop.hpp"

#include "kernel/broker/registry/names.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kReadRecords = 1024;
constexpr std::int64_t kOpCursorPeriodMs = 1000;

}  // namespace

// NO_QUEUE: the store makes no queue now. `end`: what is stored from now on stands there or later.
gantry_queue Pop::op_queue(std::int64_t *end) {
  std::int32_t status = GANTRY_OK;
  gantry_queue queue = GANTRY_NO_QUEUE;
  {
    const std::lock_guard lock(core_.mutex);
    queue = core_.open_queue(*core_.topics.find(broker::kPopReviveOpTopic), 0, &status);
  }
  gantry_queue_stat stat{};
  if (queue != GANTRY_NO_QUEUE) (void)core_.store.table->queue_stat(core_.store.self, queue, &stat);
  *end = stat.max_off;
  return queue;
}

void Pop::scan_op_queue() {
  gantry_read read{};
  read.queue = op_queue(&scan_end_);
  gantry_queue_stat stat{};
  if (read.queue == GANTRY_NO_QUEUE || core_.store.table->queue_stat(core_.store.self, read.queue, &stat) != GANTRY_OK) return;  // the next tick asks again
  scan_off_ = std::max({scan_off_, op_cursor_, stat.min_off});
  if (scan_off_ >= scan_end_) {
    const std::lock_guard lock(mutex_);
    return settle_revived();
  }
  read.offset = scan_off_;
  read.max_records = kReadRecords;
  read.flags = GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY;
  const gantry_read_result *at_hand = nullptr;
  if (core_.store.table->read(core_.store.self, 0, &read, 1, &at_hand, op_cq_) < 1) return;
  if (at_hand != nullptr) return on_op_records(at_hand);
  scan_ = Scan::kReading;
}

void Pop::on_op_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  Pop &pop = *static_cast<Pop *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    pop.scan_ = Scan::kNotBegun;
    if (cqes[i].status != GANTRY_OK) {
      pop.core_.say(GANTRY_LOG_WARN, "pop: the store cannot read " + std::string(broker::kPopReviveOpTopic) + " (code " + std::to_string(cqes[i].status) + "); nothing is delivered again until it can");
      continue;
    }
    pop.on_op_records(reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
  }
}

void Pop::on_op_records(const gantry_read_result *result) {
  for (std::uint32_t i = 0; i < result->n; ++i) revived_before_.insert(result->records[i].tag);
  scan_off_ = std::max(scan_off_, result->next_off);
  result->owner->release(result->owner);
  scan_op_queue();
}

// Everything that was out at the restart and stands among the op records was stored again.
void Pop::settle_revived() {
  RowOps rows;
  for (const auto &[key, queue] : queues_) {
    for (auto *map : {&queue->checkpoints, &queue->held}) {
      for (auto it = map->begin(); it != map->end() && !revived_before_.empty();) {
        Checkpoint &ck = it++->second;  // the last message takes the checkpoint along
        for (std::uint32_t i = 0, n = ck.n; i < n; ++i) {
          if ((ck.pending >> i & 1) == 0 || !revived_before_.contains(delivery_identity(*queue, ck.offset(i), ck.pop_ms))) continue;
          const bool last = ck.pending == 1u << i;
          settle(*queue, ck, i, rows);
          if (last) break;
        }
      }
    }
    note_progress(*queue, rows);
  }
  (void)write(rows, 0, 0);
  revived_before_.clear();
  scan_ = Scan::kDone;
}

void Pop::write_op_cursor() {
  const std::int64_t now_ms = core_.monotonic_ms();
  if (scan_ != Scan::kDone || !late_rows_.empty() || now_ms - op_written_ms_ < kOpCursorPeriodMs) return;
  op_written_ms_ = now_ms;
  std::int64_t cursor = 0;
  (void)op_queue(&cursor);
  if (!op_floors_.empty()) cursor = *op_floors_.begin();
  if (cursor == op_cursor_) return;
  std::string value(8, '\0');
  store_be64(value.data(), static_cast<std::uint64_t>(cursor));
  if (write({{std::string(kPopOpRow), value}}, 0, 0) == GANTRY_OK) op_cursor_ = cursor;
}

}  // namespace gantry::semantics
