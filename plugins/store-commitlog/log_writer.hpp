// The tail of the log: takes records and meta operations, lays them into frames in the arena, says what to write and what is done.
//
// It does no I/O. Every function is guarded by the store's mutex.
//
// Positions, in order:   flushed <= done <= acknowledged-or-done ... <= end of closed frames <= open frame
//   done      all before it is completely written (an unbroken row of finished writes)
//   flushed   all before it survives power loss
// A frame opened while nothing is being written starts right behind the last byte and its write repeats the beginning of that block;
// a frame opened while writes are outstanding starts at the next block, so no block is ever written twice at the same time.
#pragma once

#include "arena.hpp"
#include "frame.hpp"
#include "io_engine.hpp"
#include "queue_table.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gantry::commitlog {

struct AckBatch {
  std::vector<gantry_cqe> cqes;
  std::vector<CompletionRun> runs;  // their counts add up to cqes.size()
};

class LogWriter {
 public:
  LogWriter(Arena &arena, QueueTable &queues, SegmentList &segments);
  LogWriter(const LogWriter &) = delete;
  LogWriter &operator=(const LogWriter &) = delete;

  // The log goes on at `pos`, a multiple of kBlock in segments.active(); all before it is flushed.
  // segment_bytes: of segments that follow; records fit into a quarter of them.
  void start(LogPos pos, std::uint64_t epoch, std::uint32_t default_durability, std::int64_t segment_bytes);
  [[nodiscard]] std::uint32_t max_record_bytes() const { return max_record_bytes_; }
  [[nodiscard]] std::uint32_t max_meta_bytes() const { return max_meta_bytes_; }  // of one call's operations

  // ---- taking. OK, or AGAIN (no room until a write is done, a reader lets go or a segment is prepared), NO_SPACE, NOT_WRITABLE, INVALID;
  // nothing is taken then.
  [[nodiscard]] std::int32_t append(const gantry_append &request, gantry_cq cq);
  // Says which appends follow. With many queues their memory is not in the caches.
  void expect(const gantry_append *requests, std::uint32_t n);
  // A record that is stored as a Reference to `base` and its own bytes; these are what the request gives. max_record_bytes() holds for the whole record.
  [[nodiscard]] std::int32_t append_referring(const gantry_append &stored, LogPos base, gantry_cq cq);
  // `ops` are `count` encoded operations; they all go into one frame.
  [[nodiscard]] std::int32_t meta(std::span<const std::uint8_t> ops, std::uint32_t count, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq);
  // Written before the next record. Never refused.
  void meta_first(std::span<const std::uint8_t> op) {
    pending_ops_.insert(pending_ops_.end(), op.begin(), op.end());
    ++pending_op_count_;
  }
  // A frame that says where the log is stable; also the first frame of an epoch.
  [[nodiscard]] std::int32_t mark(std::uint32_t flags, std::uint32_t durability);
  [[nodiscard]] bool needs_mark() const { return needs_mark_ && idle() && !fenced_; }

  // ---- writing
  // At the end of a turn and after completions: closes the open frame when it is time and hands out writes to submit now.
  // after_completion: something finished since the last call. now_ms: monotonic.
  [[nodiscard]] std::size_t take_writes(bool after_completion, std::int64_t now_ms, std::span<WriteOp, kMaxWritesInFlight> out);
  void finished(const WriteDone &done);
  // Closes the open frame, for a stop; operations put first get a frame if there is room.
  void close_all();
  // Nothing is open, being written or waiting for its acknowledgement.
  [[nodiscard]] bool idle() const { return frames_.empty() && (open_ == nullptr || !open_->has_content()) && pending_op_count_ == 0; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }
  // Closed frames in log order, for a stop that cannot wait for the engine, and the write each needs.
  [[nodiscard]] const std::deque<Frame *> &frames() const { return frames_; }
  [[nodiscard]] WriteOp write_of(Frame &frame) const;

  // ---- acknowledging, in log order
  // Makes the records of the next frame readable and hands out its completions, statuses set. False: none can be answered now.
  [[nodiscard]] bool take_acknowledged(AckBatch *out);
  // An acknowledgement waits until everything before this position is flushed, and no write will do that.
  [[nodiscard]] bool wants_flush() const { return flush_wanted_ > flushed_; }
  void flushed_to(LogPos pos);
  [[nodiscard]] LogPos done_pos() const { return done_pos_; }
  [[nodiscard]] LogPos acked_pos() const { return acked_pos_; }
  [[nodiscard]] LogPos flushed_pos() const { return plain_done_ <= flushed_ ? done_pos_ : flushed_; }
  [[nodiscard]] bool has_unflushed() const { return plain_done_ > flushed_; }
  // End of everything taken; closes nothing.
  [[nodiscard]] LogPos taken_pos() const { return open_ != nullptr ? open_->start + open_->body : next_pos_; }
  // Everything taken so far is durable once flushed_pos() has reached the returned position.
  [[nodiscard]] LogPos close_durable();

  // ---- failing
  // No more is taken; what is not acknowledged gets IO. The first call's text stays.
  void fence(std::int32_t code, const std::string &text);
  [[nodiscard]] bool fenced() const { return fenced_; }
  [[nodiscard]] const std::string &fence_text() const { return fence_text_; }
  // Records are refused with NO_SPACE while fewer bytes than this are left and no segment for them is ready; meta operations and small records that settle
  // others are not.
  void set_no_space(bool no_space, std::int64_t reserve_bytes) {
    no_space_ = no_space;
    refused_ = refused_ && no_space;
    rows_refused_ = rows_refused_ && no_space;
    reserve_bytes_ = reserve_bytes;
  }

  [[nodiscard]] bool no_space() const { return no_space_; }
  // Whether meta operations and settling records that do not fit any more are refused as well: there is no room for a small file either. Else they wait for one.
  void refuse_rows(bool refuse) {
    rows_refused_ = refuse;
    rows_wait_ = rows_wait_ && refuse;
  }
  // Some have been told to come again.
  [[nodiscard]] bool rows_wait() const { return no_space_ && rows_wait_; }
  // Ordinary records were refused since space ran short.
  [[nodiscard]] bool refuses_records() const { return no_space_ && refused_; }

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] LogPos next_pos() const { return next_pos_; }  // end of the last closed frame

  // Counters for metrics; the store copies them.
  struct Counts {
    std::uint64_t records = 0, record_bytes = 0, writes = 0, dsync_writes = 0, written_bytes = 0, filler_bytes = 0, again = 0;
  };
  [[nodiscard]] const Counts &counts() const { return counts_; }
  // Bytes of meta operations of frames that were acknowledged since the last call, in order; for the table of rows.
  void take_acknowledged_meta(std::vector<std::uint8_t> *ops, std::uint64_t *count);

 private:
  [[nodiscard]] std::int32_t check(const gantry_append &request) const;
  [[nodiscard]] std::int64_t left_for_records() const;
  [[nodiscard]] std::int32_t open_frame(std::uint32_t need, std::int64_t store_ms, bool is_record);
  [[nodiscard]] std::int32_t roll_refusal();
  void roll();
  void put_filler_frame(LogPos from, LogPos to);
  void add_record(const gantry_append &request, gantry_cq cq);
  void put_row(const gantry_append &request, std::uint32_t crc, std::uint32_t record, std::int64_t *first_off);
  [[nodiscard]] std::int32_t ensure(std::uint32_t need, std::int64_t store_ms, bool is_record);
  [[nodiscard]] std::int32_t place_pending_ops();
  [[nodiscard]] std::int32_t place_ops();
  void close_frame();
  void fill_block(Frame &frame);
  [[nodiscard]] Frame *new_frame(LogPos start);
  [[nodiscard]] bool fits(std::uint32_t need) const { return open_ != nullptr && open_->body + open_->side + need <= open_->room; }
  [[nodiscard]] bool time_to_close(bool after_completion) const;
  [[nodiscard]] bool fill_in_the_way(const WriteOp &op, const Segment &segment) const;
  void advance_done();
  void pop_finished();
  [[nodiscard]] bool can_acknowledge(Frame &frame);
  [[nodiscard]] bool must_fail(const Frame &frame) const;

  Arena &arena_;
  QueueTable &queues_;
  SegmentList &segments_;
  std::uint64_t epoch_ = 0;
  std::uint32_t default_durability_ = GANTRY_DURABILITY_DURABLE;
  std::uint32_t max_record_bytes_ = 0, max_meta_bytes_ = 0;
  std::uint8_t refers_ = 0;  // kRowRefers while one that refers is taken

  Frame *open_ = nullptr;
  std::deque<Frame *> frames_;  // closed, in log order, not yet released
  std::size_t acked_ = 0, submitted_ = 0, done_ = 0;  // how many of frames_, from the front, are acknowledged, submitted, done without a gap
  std::uint32_t in_flight_ = 0;
  std::vector<std::unique_ptr<Frame>> all_frames_;
  std::vector<Frame *> free_frames_;

  LogPos next_pos_;   // end of the last closed frame, or of the filler behind it
  LogPos last_frame_end_{-1};  // of the last one that is no filler; negative: of an earlier life
  LogPos done_pos_;
  LogPos acked_pos_;  // end of the last frame acknowledged as good; beyond done_pos_ only by requests for `memory`
  LogPos flushed_;    // last position a flush covered
  LogPos plain_done_, plain_submitted_;  // ends of the last finished and the last submitted write without dsync
  LogPos flush_wanted_;
  std::int64_t dsync_until_ms_ = 0;
  bool needs_mark_ = false;

  std::vector<std::uint8_t> pending_ops_, acked_ops_;
  std::size_t pending_at_ = 0;  // first byte of pending_ops_ not yet in a frame
  std::uint32_t pending_op_count_ = 0;
  std::uint64_t acked_op_count_ = 0;

  bool fenced_ = false, broken_ = false, no_space_ = false, refused_ = false, rows_refused_ = false, rows_wait_ = false;
  bool for_reserve_ = false;  // what is being taken may use what is reserved
  std::int32_t fence_code_ = GANTRY_E_NOT_WRITABLE;
  std::int64_t reserve_bytes_ = 0;
  std::string fence_text_;
  Counts counts_;
};

}  // namespace gantry::commitlog
