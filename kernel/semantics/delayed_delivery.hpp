// Delivery of messages with a delay level. Each level has a queue of SCHEDULE_TOPIC_XXXX in which its messages wait in the order of their due
// times; the tag of an index entry is the due time. A message that is due is stored again for its real topic; the same record also stands in the
// level's queue of RMQ_SYS_SCHEDULE_OP_TOPIC, tagged with the queue offset it had while it waited. One record is both delivery and note of it, so that a
// crash neither loses a message nor delivers it twice, and the last op record alone says where to go on.
#pragma once

#include "kernel/broker/produce/relay.hpp"
#include "kernel/broker/retention_hold.hpp"

#include <vector>

namespace gantry::semantics {

class DelayedDelivery {
 public:
  // Both outlive it.
  DelayedDelivery(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold) : core_(core), relay_(relay), hold_(hold) {}

  // After Broker::open and Broker::start. [thread: control, before the shards run]
  void start();
  // Delivers no more. [thread: shard 0]
  void drain() { draining_ = true; }
  // [thread: control, after the shards stopped]
  void stop();

 private:
  enum class State : std::uint8_t { kStart, kFindingCursor, kIdle, kReading };
  struct Level {
    DelayedDelivery *owner = nullptr;
    std::uint32_t queue_no = 0;
    State state = State::kStart;
    std::int64_t cursor = 0;           // queue offset of the next message to deliver
    std::int64_t oldest_pos = INT64_MAX;  // log position of the first message that waits, or of one before it; INT64_MAX: none
    std::int64_t head_due_ms = 0;      // of the message at the cursor, as far as known
    std::uint32_t in_flight = 0;       // stored, completion still to come
    std::int64_t failed_off = -1;      // lowest queue offset whose delivery failed
    std::int64_t not_before_ms = 0;    // monotonic; after a failure
  };
  enum class Verdict : std::uint8_t { kDelivered, kNotDue, kBusy };

  void tick();
  void hold_log();
  void turn(Level &level, std::int64_t now_ms, std::int64_t *next_ms);
  void find_cursor(Level &level);
  void read(Level &level, std::int64_t offset, gantry_queue queue, std::uint32_t max_records);
  void on_records(Level &level, const gantry_read_result *result);
  [[nodiscard]] Verdict deliver(Level &level, const gantry_record &record, std::int64_t now_ms);
  void on_delivered(Level &level, std::int64_t queue_off, std::int32_t status);
  [[nodiscard]] gantry_queue_stat stat_of(const broker::Topic &topic, std::uint32_t queue_no, gantry_queue *queue) const;
  void skip(const Level &level, std::int64_t queue_off, const std::string &why) const;
  static void on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  broker::Core &core_;
  broker::Relay &relay_;
  broker::RetentionHold &hold_;
  std::size_t holder_ = 0;
  gantry_cq store_cq_ = 0;
  std::vector<Level> levels_;
  bool draining_ = false;
};

}  // namespace gantry::semantics
