// A hidden queue whose messages wait, and the op queue that says which of them are settled. Keeps a PendingSet true to both: reads on in their
// indexes, reads chunks again when their time comes near, writes checkpoints, recovers after a start, and holds the log for what waits.
//
// To settle a message its owner stores one record that stands in the op queue under the tag done_link gives, and in whatever queue else the outcome is for: so
// delivery and the note of it are one record, kept or lost together. An outcome without delivery (recall, rollback) is a small record in the op queue
// alone: settle_only.
#pragma once

#include "kernel/broker/produce/relay.hpp"
#include "kernel/broker/retention_hold.hpp"
#include "kernel/semantics/pending_set.hpp"

#include <span>
#include <string>
#include <vector>

namespace gantry::semantics {

class HeldQueue {
 public:
  static constexpr std::uint32_t kReadsMax = 64;
  // Queue `queue_no` of two topics. All outlive it.
  struct Setup {
    broker::Topic *held = nullptr;
    broker::Topic *op = nullptr;
    std::uint32_t queue_no = 0;
    PendingLimits limits;
  };
  HeldQueue(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const Setup &setup);

  // After Broker::open; takes its rows out of Core::restored_rows. CORRUPT: a row that cannot be understood. [thread: control, before the shards run]
  [[nodiscard]] Result<void> start();
  // Writes a last checkpoint. [thread: shard 0]
  void drain();
  // [thread: control, after the shards stopped]
  void stop();

  // Takes in what is new in both queues, as far as a turn should. Returns in how many ms it wants to be called again at the latest; nothing of the set is
  // taken meanwhile unless ready(). [thread: shard 0]
  [[nodiscard]] std::int64_t poll();
  // Both queues have been read to where they ended at the start: the set is complete. [thread: shard 0]
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] PendingSet &set() { return set_; }  // [thread: shard 0]

  [[nodiscard]] broker::Topic *held_topic() const { return setup_.held; }
  [[nodiscard]] std::uint32_t queue_no() const { return setup_.queue_no; }
  // GANTRY_NO_QUEUE: nothing was ever held.
  [[nodiscard]] gantry_queue store_queue() const { return setup_.held->queues[setup_.queue_no].store_queue.load(std::memory_order_acquire); }
  // Where the first op record lies that a start would have to read again; a checkpoint moves it on. INT64_MAX: there is none.
  [[nodiscard]] std::int64_t unsaved_pos() const { return unsaved_pos_; }
  void save_soon() { next_save_ms_ = 0; }
  // The lowest log position that others hold.
  [[nodiscard]] std::int64_t others_hold_from() const { return hold_.others_from(holder_); }

  // Reads the records of up to 64 entries, one read each with the entry's queue offset as user_data: the first ones, as many as it returns, are in results[i],
  // or complete in `cq` when that is NULL. [thread: shard 0]
  [[nodiscard]] std::uint32_t read(std::span<const PendingSet::Entry> entries, const gantry_read_result **results, gantry_cq cq) const;

  // The link that settles entry `queue_off`. GANTRY_NO_QUEUE in it: the store refuses the op queue now. [thread: shard]
  [[nodiscard]] gantry_link done_link(std::int64_t queue_off);
  // Settles without delivery. Statuses and `done` as Relay::store has them. [thread: shard]
  [[nodiscard]] std::int32_t settle_only(std::int64_t queue_off, broker::RelayDone done, void *arg, std::uint64_t user_data);

 private:
  enum Kind : std::uint64_t { kOps, kHeld, kLoad, kSaved };
  struct Reader {
    std::int64_t next = 0;  // queue offset
    bool busy = false;      // the store will complete it
    bool caught_up = false;
  };

  [[nodiscard]] std::string row_key() const;
  [[nodiscard]] bool read_on(Kind kind);
  void on_result(Kind kind, const gantry_read_result *result);
  void take_ops(const gantry_read_result &result);
  void take_held(const gantry_read_result &result);
  void take_load(const gantry_read_result &result);
  void hold_log();
  void save();
  void write_head();
  void on_saved(std::int32_t status);
  static void on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  broker::Core &core_;
  broker::Relay &relay_;
  broker::RetentionHold &hold_;
  const Setup setup_;
  PendingSet set_;
  std::size_t holder_ = 0;
  gantry_cq store_cq_ = 0;
  Reader readers_[3];  // by Kind
  std::int64_t load_end_ = 0;
  bool ready_ = false;
  std::int64_t not_before_ms_ = 0;  // monotonic; after a failure
  std::int64_t last_new_ms_ = 0;    // monotonic; when a message was seen that waits

  // The checkpoint: settled entries are in its rows as far as the op queue below saved_op_off_ tells.
  std::int64_t ops_since_save_ = 0;
  std::int64_t next_save_ms_ = 0;  // monotonic
  std::int64_t saving_op_off_ = -1;  // a save is under way: the offset it will have
  bool head_written_ = false;        // and its last write as well
  std::vector<std::int64_t> removing_;
  std::int64_t unsaved_pos_ = INT64_MAX;       // log position of the first op record that the last checkpoint does not cover
  std::int64_t unsaved_next_pos_ = INT64_MAX;  // the same for the one under way
};

}  // namespace gantry::semantics
