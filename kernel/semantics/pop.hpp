// Pop consumption, behind gantry_pop_v1. What is out lives in PopQueues (pop_state.hpp) and, row by row, in the store: the rows of a pop are handed to
// the store before its messages leave, those of an acknowledgement before it is answered, so after a crash exactly what was not acknowledged
// is out or comes again.
//
// Threads: pops run on the shard that asked or that woke them; one mutex guards all state below. Order: Pop::mutex_ before Core::mutex before the store's.
#pragma once

#include "kernel/broker/broker.hpp"
#include "kernel/broker/filter/select.hpp"
#include "kernel/semantics/pop_result.hpp"
#include "kernel/semantics/pop_state.hpp"

#include <set>
#include <unordered_map>
#include <unordered_set>

namespace gantry::semantics {

// One pop, from its request to its completion; parked while there is nothing. Owned by Pop's pool.
struct PopJob : broker::WheelNode {
  std::uint64_t user_data = 0;
  gantry_cq cq = 0;
  gantry_conn conn = 0;
  gantry_group group = 0;
  std::string_view group_name;
  broker::Topic *topic = nullptr;
  std::int32_t queue_no = -1;
  std::uint32_t max_records = 0, flags = 0;
  std::int64_t invisible_ms = 0;
  std::shared_ptr<const broker::TagSet> tags;
  std::shared_ptr<const broker::FilterProgram> filter;  // looks at what the tags let through
  std::int64_t scanned = 0;                             // queue entries since the loop was last given up
  std::string attempt;
  bool may_wait = false;

  // Where it is: stage 0 and 1 are the topic and the group's retry topic for it, in either order.
  std::uint32_t stage = 0, step = 0, begin = 0;
  bool retry_first = false;
  bool by_priority = false;  // the highest queue first, and what comes again last
  broker::Topic *retry_topic = nullptr;  // null: nothing was ever stored again
  PopQueue *reading = nullptr;
  std::int64_t read_from = 0, pop_ms = 0;
  std::uint32_t read_epoch = 0;
  PopResult *result = nullptr;

  PopJob *park_next = nullptr;
  struct PopLane *lane = nullptr;  // where it is parked
};

// Parked pops of a group for a topic, oldest first.
struct PopLane {
  gantry_group group = 0;
  broker::Topic *topic = nullptr;
  PopJob *head = nullptr;
  std::uint32_t count = 0;
};

inline constexpr std::uint32_t kMaxBytesPerQueue = 256u << 10;  // of one pop; the first message always fits

class Pop : private broker::Forgetter {
 public:
  // Outlives it.
  explicit Pop(broker::Broker &broker) : broker_(broker), core_(broker.core()) {}


  // After Broker::open and Broker::start: takes the rows that recovery found. [thread: control, before the shards run]
  void start(std::uint32_t shard_count);
  // Answers parked pops and starts no more deliveries. [thread: shard 0]
  void drain();
  // [thread: control, after the shards stopped]
  void stop();

  // As gantry_pop_v1. [thread: shard]
  [[nodiscard]] std::int32_t pop(const gantry_pop &req, gantry_cq cq, gantry_error *err);
  [[nodiscard]] std::int32_t ack(gantry_pop_handle *handles, std::uint32_t n, std::uint64_t user_data, gantry_cq cq);
  [[nodiscard]] std::int32_t change_invisible(gantry_pop_change &change, gantry_cq cq);
  void cancel(gantry_conn conn);
  [[nodiscard]] std::uint32_t waiting(gantry_group group, gantry_topic topic, std::int32_t queue_no);

 private:
  struct Shard {
    Pop *owner = nullptr;
    gantry_cq store_cq = 0;
  };
  struct Revival {  // one message whose invisible time is over, until it is stored again
    Pop *owner = nullptr;
    PopQueue *queue = nullptr;
    std::int64_t offset = 0, pop_ms = 0;
    bool keep_count = false;
    const gantry_read_result *record = nullptr;
    std::int64_t op_floor = -1;  // its op record stands here or later; -1: not stored yet
  };
  struct Watch {  // queues of a topic that pops are parked for
    broker::Topic *topic = nullptr;
    std::uint32_t counted = 0;  // queues that know of a waiter
    std::uint32_t parked = 0;
    std::vector<PopLane *> lanes;
  };
  enum class Look : std::uint8_t { kEmpty, kBusy, kBlocked, kReady };
  using RowOps = std::vector<std::pair<std::string, std::string>>;  // an empty value deletes

  // pop_forget.cpp
  void topic_deleted(const broker::Topic &topic) override;
  void group_deleted(gantry_group group) override;
  [[nodiscard]] bool has_offset(const PopQueue &queue);
  template <typename LaneMeant, typename QueueMeant>
  void forget_deleted(LaneMeant lane_meant, QueueMeant queue_meant, std::uint32_t subject);

  // pop.cpp
  [[nodiscard]] std::int32_t admit(const gantry_pop &req, PopJob &job, gantry_error *err);
  [[nodiscard]] std::int32_t admit_filter(const gantry_pop &req, PopJob &job, gantry_error *err);
  void run(PopJob *job);
  [[nodiscard]] bool run_later(PopJob &job);
  [[nodiscard]] bool next_target(PopJob &job, broker::Topic **topic, std::uint32_t *queue_no, bool *retry);
  [[nodiscard]] Look look(PopJob &job, PopQueue &queue, std::int64_t *from, gantry_queue_stat *stat);
  void start_over(PopJob &job);
  [[nodiscard]] PopJob *take_job();
  void give_back(PopJob *job);
  [[nodiscard]] broker::Topic *find_topic(std::string_view name);
  [[nodiscard]] std::uint32_t shard_index() const { return core_.exec->this_shard(core_.host); }

  // pop_take.cpp
  [[nodiscard]] bool take(PopJob &job, const gantry_read_result *result);
  void take_part(PopJob &job, const gantry_read_result &result);
  void take_records(PopJob &job, PopQueue &queue, const gantry_read_result &read, RowOps &rows);
  void count_gets(const PopQueue &queue, const gantry_read_result &read);
  void finish(PopJob *job, std::uint32_t outcome);
  void failed(PopJob *job, std::int32_t status);
  static void on_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  // pop_park.cpp; under mutex_ unless it says otherwise
  [[nodiscard]] std::uint32_t park(PopJob &job);  // a GANTRY_POP_* to finish with, or one of the two below
  static constexpr std::uint32_t kParked = 100, kLookAgain = 101;
  [[nodiscard]] bool anything_ready(PopJob &job);
  void unpark(PopJob &job);
  void wake(PopLane &lane, std::int32_t queue_no, std::vector<PopJob *> &woken);
  void wake_group(gantry_group group, const broker::Topic *topic);      // takes and leaves the mutex
  void run_all(const std::vector<PopJob *> &woken);                     // without the mutex
  static void on_arrival(void *self, broker::Queue &queue);             // takes and leaves the mutex
  void tick();                                                          // takes and leaves the mutex
  [[nodiscard]] const broker::Topic *base_topic(const PopQueue &queue);
  [[nodiscard]] Watch &watch_of(broker::Topic *topic);

  // pop_queues.cpp; under mutex_
  [[nodiscard]] PopQueue &queue_of(gantry_group group, std::string_view group_name, broker::Topic *topic, std::uint32_t queue_no);
  [[nodiscard]] gantry_queue_stat stat_of(const PopQueue &queue) const;
  [[nodiscard]] std::optional<std::int64_t> committed_of(const broker::OffsetKey &key);
  void begin_or_follow(PopQueue &queue, bool from_end, RowOps &rows);
  void forget(PopQueue &queue, RowOps &rows);
  void settle(PopQueue &queue, Checkpoint &ck, std::uint32_t index, RowOps &rows);
  void note_progress(PopQueue &queue, RowOps &rows);
  void arm(Due &due, std::int64_t visible_ms);
  void disarm(Due &due);
  [[nodiscard]] std::int32_t write(const RowOps &rows, std::uint64_t user_data, gantry_cq cq);
  void write_late_rows();
  void hold_from(std::int64_t phys_pos);
  void raise_hold();
  void restore();

  // pop_order.cpp; under mutex_
  void note_order(PopJob &job, PopQueue &queue, PopPart &part, RowOps &rows);
  [[nodiscard]] std::int32_t ack_in_order(const gantry_pop_handle &handle, PopQueue &queue, RowOps &rows);
  [[nodiscard]] bool change_in_order(gantry_pop_change &change, PopQueue &queue, RowOps &rows);
  void arm_order(PopQueue &queue);

  // pop_revive.cpp
  void collect_due(std::vector<Revival *> &due, std::vector<PopQueue *> &unblocked);
  void revive(Revival *revival);
  void store_again(Revival *revival);
  void revived(Revival *revival);
  void revive_later(Revival *revival, std::int64_t delay_ms, const std::string &why);
  void drop(Revival *revival);
  void let_go(Revival &revival);  // under mutex_
  static void on_revive_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  // pop_revive_op.cpp
  [[nodiscard]] gantry_queue op_queue(std::int64_t *end);
  void scan_op_queue();
  void on_op_records(const gantry_read_result *result);
  static void on_op_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  void settle_revived();    // under mutex_
  void write_op_cursor();   // under mutex_

  broker::Broker &broker_;
  broker::Core &core_;
  std::vector<Shard> shards_;
  gantry_cq revive_cq_ = 0, op_cq_ = 0;
  std::atomic<bool> draining_{false};
  std::size_t holder_ = 0;  // of the retention hold

  std::mutex mutex_;  // guards what follows
  std::unordered_map<broker::OffsetKey, std::unique_ptr<PopQueue>, broker::OffsetKeyHash> queues_;
  std::unordered_map<broker::OffsetKey, std::unique_ptr<PopLane>, broker::OffsetKeyHash> lanes_;  // queue_no 0
  std::unordered_map<const broker::Topic *, std::unique_ptr<Watch>> watches_;
  std::unordered_map<const broker::Queue *, std::pair<Watch *, std::int32_t>> watched_;  // with the queue's number
  broker::WaitWheel parked_, due_;
  std::unordered_map<std::string, std::string> late_rows_;  // what the store had no room for
  std::int64_t hold_pos_ = 0;        // the log is held from here on
  bool hold_stale_ = false;          // and perhaps from further back than needed
  std::int64_t next_raise_ms_ = 0;   // monotonic
  std::vector<std::unique_ptr<PopJob>> jobs_;
  std::vector<PopJob *> free_jobs_;
  std::unordered_set<Revival *> revivals_;      // owned
  std::multiset<std::int64_t> op_floors_;       // of revivals under way
  std::int64_t op_cursor_ = 0;                  // as in its row: everything before it is settled
  std::int64_t op_written_ms_ = 0;

  // Shard 0 alone, from start until the op queue was read.
  enum class Scan : std::uint8_t { kNotBegun, kReading, kDone };
  std::atomic<Scan> scan_{Scan::kNotBegun};
  std::int64_t scan_off_ = 0, scan_end_ = 0;
  std::unordered_set<std::int64_t> revived_before_;  // what op records from before the restart name
  std::uint64_t next_pop_ = 0;
};

}  // namespace gantry::semantics
