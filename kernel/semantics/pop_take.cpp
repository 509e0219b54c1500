// What the store gave to a pop: it becomes invisible and part of the answer.
#include "kernel/semantics/pop.hpp"

#include <algorithm>

namespace gantry::semantics {

void Pop::on_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  Pop &pop = *static_cast<Shard *>(self)->owner;
  for (std::uint32_t i = 0; i < n; ++i) {
    auto *job = reinterpret_cast<PopJob *>(cqes[i].user_data);
    if (cqes[i].status != GANTRY_OK) {
      pop.failed(job, cqes[i].status);
      continue;
    }
    if (pop.take(*job, reinterpret_cast<const gantry_read_result *>(cqes[i].aux))) pop.run(job);
  }
}

// A filter's choice of what was read stands for the whole of it. False: it is suspended, and the job has ended.
bool Pop::take(PopJob &job, const gantry_read_result *result) {
  job.scanned += std::max<std::int64_t>(result->next_off - job.read_from, 0);
  if (job.filter == nullptr || result->n == 0) {
    take_part(job, *result);
    return true;
  }
  thread_local broker::Selected selected;
  select(*job.filter, shard_index(), *result, job.max_records - static_cast<std::uint32_t>(job.result->records.size()), kMaxBytesPerQueue, &selected);
  if (selected.over_budget && selected.records.empty()) {
    result->owner->release(result->owner);
    failed(&job, GANTRY_E_BUDGET);
    return false;
  }
  gantry_read_result part = *result;
  part.records = selected.records.data();
  part.n = static_cast<std::uint32_t>(selected.records.size());
  part.next_off = selected.next_off;
  take_part(job, part);
  return true;
}

// What was read becomes part of the answer, and invisible.
void Pop::take_part(PopJob &job, const gantry_read_result &result) {
  RowOps rows;
  const std::lock_guard lock(mutex_);
  PopQueue &queue = *std::exchange(job.reading, nullptr);
  queue.busy = false;
  const bool ordered = (job.flags & GANTRY_POP_ORDER) != 0;
  const bool moved = queue.cursor != job.read_from || queue.epoch != job.read_epoch;  // somebody reset the group meanwhile, or deleted it
  const bool took = !moved && result.n != 0;
  if (took) {
    take_records(job, queue, result, rows);
    job.result->pinned.push_back(result.owner);
  } else {
    if (!moved && result.stop != GANTRY_STOP_RANGE) queue.cursor = std::max(queue.cursor, result.next_off);
    result.owner->release(result.owner);
  }
  note_progress(queue, rows);
  (void)write(rows, 0, 0);
  const std::int64_t left = stat_of(queue).max_off - queue.cursor;
  if (ordered && queue.order != nullptr) return;  // what is left is blocked
  if (left > 0 && !took) {
    --job.step;  // nothing matched so far: the same queue again
    return;
  }
  job.result->abi.rest += std::max<std::int64_t>(left, 0);
}

void Pop::count_gets(const PopQueue &queue, const gantry_read_result &read) {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < read.n; ++i) bytes += read.records[i].bytes.n;
  core_.stats.get.traffic.add(read.n, bytes);
  const std::lock_guard lock(core_.mutex);
  core_.stats.gets(queue.key.group, queue.key.topic)->traffic.add(read.n, bytes);
}

void Pop::take_records(PopJob &job, PopQueue &queue, const gantry_read_result &read, RowOps &rows) {
  PopResult &result = *job.result;
  PopPart &part = result.parts.emplace_back();
  part.abi.topic = queue.key.topic;
  part.abi.queue_no = queue.key.queue_no;
  part.abi.retry = queue.topic != job.topic ? 1 : 0;
  part.abi.start_off = job.read_from;
  part.abi.first = static_cast<std::uint32_t>(result.records.size());
  part.abi.n = read.n;
  result.records.insert(result.records.end(), read.records, read.records + read.n);
  count_gets(queue, read);
  if ((job.flags & GANTRY_POP_ORDER) != 0) return note_order(job, queue, part, rows);
  Checkpoint &ck = queue.checkpoints[job.read_from];
  ck.queue = &queue;
  ck.start_off = job.read_from;
  ck.pop_ms = job.pop_ms;
  ck.invisible_ms = job.invisible_ms;
  ck.phys_pos = read.records[0].phys_pos;
  hold_from(ck.phys_pos);
  ck.n = read.n;
  ck.pending = read.n == GANTRY_POP_MAX_RECORDS ? ~0u : (1u << read.n) - 1;
  for (std::uint32_t i = 0; i < read.n; ++i) ck.diffs[i] = static_cast<std::uint32_t>(read.records[i].queue_off - job.read_from);
  arm(ck, ck.pop_ms + ck.invisible_ms);
  queue.cursor = read.next_off;
  queue.row_stale = true;
  rows.emplace_back(checkpoint_key(queue, ck), checkpoint_value(ck));
}

void Pop::failed(PopJob *job, std::int32_t status) {
  {
    const std::lock_guard lock(mutex_);
    std::exchange(job->reading, nullptr)->busy = false;
  }
  // What other queues gave is invisible already and must go out.
  if (!job->result->records.empty()) return finish(job, GANTRY_POP_FOUND);
  job->result->owner.release(&job->result->owner);
  core_.complete(job->cq, job->user_data, status, GANTRY_SUBJECT_STORE);
  give_back(job);
}

void Pop::finish(PopJob *job, std::uint32_t outcome) {
  PopResult &result = *job->result;
  result.abi.pop_ms = job->pop_ms;
  result.abi.invisible_ms = job->invisible_ms;
  result.abi.revive_queue = (job->flags & GANTRY_POP_ORDER) != 0 ? GANTRY_POP_ORDERED_QUEUE : 0;
  result.seal(outcome);
  const bool others = outcome == GANTRY_POP_FOUND && result.abi.rest > 0;
  const gantry_group group = job->group;
  broker::Topic *const topic = job->topic;
  const gantry_cqe cqe{job->user_data, 0, reinterpret_cast<std::uint64_t>(&result.abi), GANTRY_OK, 0};
  if (core_.cq->push(core_.host, job->cq, &cqe, 1) != GANTRY_OK) result.owner.release(&result.owner);
  give_back(job);
  if (others) wake_group(group, topic);
}

}  // namespace gantry::semantics
