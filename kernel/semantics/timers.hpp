// Messages with a due time of their own: they wait in rmq_sys_wheel_timer, are delivered when due and can be recalled until then. One record is both
// delivery and note of it (held_queue.hpp), so that a crash neither loses a message nor delivers it twice.
#pragma once

#include "kernel/semantics/copy_forward.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace gantry::semantics {

class Timers : public broker::Recaller {
 public:
  // All outlive it.
  Timers(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const PendingLimits &limits = {});
  ~Timers() override;

  // After Broker::open and Broker::start. CORRUPT: rows of the store that cannot be understood. [thread: control, before the shards run]
  [[nodiscard]] Result<void> start();
  // Delivers no more. [thread: shard 0]
  void drain();
  // [thread: control, after the shards stopped]
  void stop();

  [[nodiscard]] std::int32_t recall(const gantry_recall &req, gantry_cq cq) override;
  [[nodiscard]] HeldQueue &queue() { return queue_; }

 private:
  struct Recall;
  struct Cells {
    std::uint64_t *waiting, *lag_ms, *delivered, *recalled, *undeliverable, *copied;
  };

  void arm(std::int64_t delay_ms);
  void tick();
  void tell();
  [[nodiscard]] bool deliver_due();
  void on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result);
  void deliver(const gantry_record &record);
  void give_up(std::int64_t queue_off, const std::string &why);
  void on_stored(std::int64_t queue_off, std::int32_t status);
  void begin(Recall &recall);
  void take_back(Recall &recall, std::int32_t status, const gantry_read_result *result);
  void on_copied(std::int64_t first_pos);
  void search(Recall &recall);
  void on_found(Recall &recall, const gantry_cqe &cqe);
  struct Place {
    std::int64_t queue_off, due_ms;
  };
  [[nodiscard]] bool find_place(const Recall &recall, const gantry_record &record, Place *place) const;
  [[nodiscard]] bool take(Recall &recall, const Place &place);
  void settle(Recall &recall, std::int64_t queue_off);
  void finish(Recall &recall, std::int32_t status);
  static void on_due_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  static void on_recall_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  static void on_recall_found(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  broker::Core &core_;
  broker::Relay &relay_;
  HeldQueue queue_;
  CopyForward copier_;
  gantry_cq due_cq_ = 0, recall_cq_ = 0, found_cq_ = 0;
  std::vector<PendingSet::Entry> due_;
  std::uint32_t in_flight_ = 0;  // claimed here, outcome still to come
  std::unordered_map<Recall *, std::unique_ptr<Recall>> recalls_;  // on shard 0
  bool draining_ = false;
  Cells cells_{};
  std::int64_t lag_ms_ = 0;  // see tell()
};

}  // namespace gantry::semantics
