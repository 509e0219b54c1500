// Handing out writes, noting what is done, acknowledging in log order.
#include "log_writer.hpp"

#include "mutation.hpp"

#include <algorithm>
#include <cerrno>

namespace gantry::commitlog {

namespace {
// With writes in flight a smaller open frame waits for them: fewer, larger writes cost less, and the wait is at most one device time.
constexpr std::uint32_t kWorthAnotherWrite = 64u << 10;
// After a durable request all writes are dsync for a while: a durable one behind a plain one would have to wait for a flush.
constexpr std::int64_t kDsyncHoldMs = 1000;
}  // namespace

bool LogWriter::time_to_close(bool after_completion) const {
  if (open_ == nullptr || !open_->has_content() || submitted_ < frames_.size()) return false;
  if (in_flight_ == 0) return true;
  if (in_flight_ >= kMaxWritesInFlight) return false;
  if (open_->body + open_->side >= kWorthAnotherWrite) return true;
  // A request for `memory` waits for no write.
  return !after_completion && open_->durability == GANTRY_DURABILITY_MEMORY && !open_->cqes.empty() && acked_ == frames_.size();
}

WriteOp LogWriter::write_of(Frame &frame) const {
  const LogPos begin = align_down(frame.start, kBlock);
  WriteOp op;
  op.cookie = reinterpret_cast<std::uint64_t>(&frame);
  op.data = arena_.at(begin);
  op.bytes = static_cast<std::uint32_t>(align_up(frame.end, kBlock) - begin);
  op.file_off = static_cast<std::uint64_t>(begin - frame.segment->base);
  op.fd = frame.segment->file.get();
  op.dsync = frame.dsync && !mutated("flush-of-log-writes");
  return op;
}

// The background may be writing zeros into a segment that was taken early; its last step must end before ours begins.
bool LogWriter::fill_in_the_way(const WriteOp &op, const Segment &segment) const {
  const std::int64_t at = segment.filling_at.load();
  return at >= 0 && static_cast<std::int64_t>(op.file_off) < at + kFillStep && at < static_cast<std::int64_t>(op.file_off + op.bytes);
}

std::size_t LogWriter::take_writes(bool after_completion, std::int64_t now_ms, std::span<WriteOp, kMaxWritesInFlight> out) {
  if (fenced_) return 0;
  if (pending_op_count_ > 0) (void)place_pending_ops();  // without room they wait for the next call
  if (time_to_close(after_completion)) close_frame();
  std::size_t n = 0;
  while (in_flight_ < kMaxWritesInFlight && submitted_ < frames_.size()) {
    Frame &frame = *frames_[submitted_];
    if (frame.durability == GANTRY_DURABILITY_DURABLE) dsync_until_ms_ = now_ms + kDsyncHoldMs;
    const bool internal_only = frame.cqes.empty() && default_durability_ == GANTRY_DURABILITY_DURABLE;
    frame.dsync = frame.durability == GANTRY_DURABILITY_DURABLE || now_ms < dsync_until_ms_ || internal_only;
    const WriteOp op = write_of(frame);
    if (fill_in_the_way(op, *frame.segment)) break;
    frame.submitted = true;
    frame.flush_to = mutated("order-of-levels") ? LogPos{} : plain_submitted_;
    if (!frame.dsync) plain_submitted_ = frame.next;
    ++counts_.writes;
    counts_.dsync_writes += frame.dsync ? 1 : 0;
    counts_.written_bytes += op.bytes;
    out[n++] = op;
    ++submitted_;
    ++in_flight_;
  }
  return n;
}

void LogWriter::finished(const WriteDone &done) {
  Frame &frame = *reinterpret_cast<Frame *>(done.cookie);
  GANTRY_ASSERT(in_flight_ > 0 && frame.submitted && !frame.done);
  --in_flight_;
  frame.done = true;
  const auto wanted = static_cast<std::int64_t>(align_up(frame.end, kBlock) - align_down(frame.start, kBlock));
  if (done.result != wanted && !mutated("failed-log-writes")) {
    frame.error = done.result < 0 ? done.result : -EIO;
    const Error error = file_error(done.result < 0 ? "write to" : "short write to", frame.segment->path, frame.error);
    fence(GANTRY_E_NOT_WRITABLE, error.text);
  }
  advance_done();
  pop_finished();
}

void LogWriter::advance_done() {
  if (broken_) return;  // a frame that was never written lies behind done_pos_
  while (done_ < frames_.size() && frames_[done_]->done && frames_[done_]->error == 0) {
    const Frame &frame = *frames_[done_++];
    done_pos_ = frame.next;
    if (!frame.dsync) {
      plain_done_ = frame.next;
      frame.segment->plain_end = frame.next;
    }
  }
}

void LogWriter::pop_finished() {
  while (!frames_.empty() && acked_ > 0) {
    Frame *frame = frames_.front();
    const bool untouched = fenced_ && !frame->submitted;
    if (!frame->done && !untouched) break;
    broken_ |= untouched || frame->error != 0;
    frames_.pop_front();
    --acked_;
    done_ -= done_ > 0 ? 1 : 0;
    submitted_ -= frame->submitted ? 1 : 0;
    free_frames_.push_back(frame);
  }
}

bool LogWriter::can_acknowledge(Frame &frame) {
  if (frame.durability == GANTRY_DURABILITY_MEMORY && !fenced_) return true;
  if (mutated("acknowledgement-after-write") && frame.submitted) return true;
  if (!frame.done || frame.error != 0 || done_pos_ < frame.next) return false;
  if (frame.durability == GANTRY_DURABILITY_DURABLE && flushed_ < frame.flush_to) {
    flush_wanted_ = std::max(flush_wanted_, frame.flush_to);
    return false;
  }
  return true;
}

// After a failure: requests whose frame cannot become what they asked for. A write still in flight before the failed one may succeed.
bool LogWriter::must_fail(const Frame &frame) const {
  if (!fenced_) return false;
  if (frame.done || !frame.submitted) return true;
  for (const Frame *each : frames_) {
    if (each == &frame) return false;
    if (each->error != 0) return true;
  }
  return false;
}

bool LogWriter::take_acknowledged(AckBatch *out) {
  if (fenced_ && open_ != nullptr && open_->has_content()) close_frame();  // its requests are answered below
  if (acked_ == frames_.size()) {
    pop_finished();
    return false;
  }
  Frame &frame = *frames_[acked_];
  const bool good = can_acknowledge(frame);
  if (!good && !must_fail(frame)) return false;
  frame.acked = true;
  ++acked_;
  out->cqes.clear();
  out->runs.clear();
  out->cqes.swap(frame.cqes);
  out->runs.swap(frame.runs);
  if (good) {
    for (const QueueRow &row : frame.queues) {
      if (QueueState *queue = queues_.get(row.queue)) queue->visible = {row.first_off + row.count};
    }
    acked_pos_ = frame.next;
    if (frame.meta_count > 0) {
      acked_ops_.insert(acked_ops_.end(), frame.meta.begin(), frame.meta.end());
      acked_op_count_ += frame.meta_count;
    }
  } else {
    for (gantry_cqe &cqe : out->cqes) {
      cqe.status = GANTRY_E_IO;
      cqe.result = 0;
      cqe.aux = 0;
    }
  }
  pop_finished();
  return true;
}

void LogWriter::take_acknowledged_meta(std::vector<std::uint8_t> *ops, std::uint64_t *count) {
  ops->clear();
  ops->swap(acked_ops_);
  *count = acked_op_count_;
  acked_op_count_ = 0;
}

void LogWriter::close_all() {
  if (pending_op_count_ > 0 && (fenced_ || (place_pending_ops() != GANTRY_OK && frames_.empty()))) {
    // No place for them and nothing under way that would make one. They are of queues without a record.
    pending_ops_.clear();
    pending_at_ = 0;
    pending_op_count_ = 0;
  }
  if (open_ != nullptr && open_->has_content()) close_frame();
}

LogPos LogWriter::close_durable() {
  if (pending_op_count_ > 0) (void)place_pending_ops();
  if (open_ != nullptr && open_->has_content()) {
    open_->durability = GANTRY_DURABILITY_DURABLE;
    close_frame();
  }
  return next_pos_;
}

void LogWriter::flushed_to(LogPos pos) { flushed_ = std::max(flushed_, pos); }

void LogWriter::fence(std::int32_t code, const std::string &text) {
  if (fenced_) return;
  fenced_ = true;
  fence_code_ = code;
  fence_text_ = text;
}

}  // namespace gantry::commitlog
