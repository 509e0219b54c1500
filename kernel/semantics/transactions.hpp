// Transactions: half messages wait in RMQ_SYS_TRANS_HALF_TOPIC until their producer ends them, and are asked about when it does not. One record is both
// delivery and note of it (held_queue.hpp): a crash neither loses a committed message nor delivers it twice, and a commit that is repeated finds the note.
//
// A half message stays where it is, however often it was asked about: its queue offset and position, which the producer names, hold until it is ended.
#pragma once

#include "kernel/semantics/check_counts.hpp"
#include "kernel/semantics/held_queue.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace gantry::semantics {

class Transactions : public broker::TransactionEnder {
 public:
  // All outlive it.
  Transactions(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const PendingLimits &limits = {});
  ~Transactions() override;

  // After Broker::open and Broker::start. CORRUPT: rows of the store that cannot be understood. [thread: control, before the shards run]
  [[nodiscard]] Result<void> start();
  // Ends and asks about nothing any more. [thread: shard 0]
  void drain();
  // [thread: control, after the shards stopped]
  void stop();

  [[nodiscard]] std::int32_t end_transaction(const gantry_end_transaction &req, gantry_cq cq) override;
  [[nodiscard]] HeldQueue &queue() { return queue_; }

 private:
  struct Ending;
  struct Cells {
    std::uint64_t *open, *committed, *rolled_back, *checks, *discarded;
  };

  void arm(std::int64_t delay_ms);
  void tick();
  void know();
  [[nodiscard]] std::int64_t check_round();
  void on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result);
  void check(const gantry_record &record);
  [[nodiscard]] gantry_conn next_producer(std::string_view group);
  void discard(const gantry_record &record, const std::string &why);
  void give_up(std::int64_t queue_off, const std::string &why);
  [[nodiscard]] Ending &add_ending(std::unique_ptr<Ending> made);
  void begin(Ending &ending);
  void end(Ending &ending, std::int32_t status, const gantry_read_result *result);
  void settle(Ending &ending, const gantry_record *record);
  void on_stored(Ending &ending, std::int32_t status);
  void finish(Ending &ending, std::int32_t status, std::uint32_t subject = GANTRY_SUBJECT_STORE, std::int64_t result = 0);
  static void on_check_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  static void on_end_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  broker::Core &core_;
  broker::Relay &relay_;
  HeldQueue queue_;
  CheckCounts counts_;
  gantry_cq check_cq_ = 0, end_cq_ = 0;
  std::unordered_map<Ending *, std::unique_ptr<Ending>> endings_;  // on shard 0
  std::vector<Ending *> early_;  // came before it was known what is open
  bool known_ = false;           // what is open
  bool draining_ = false;
  Cells cells_{};

  // A round asks about everything that is due when it begins.
  bool in_round_ = false;
  std::uint64_t round_ = 0;
  std::int64_t round_ms_ = 0;       // wall clock of its begin
  std::int64_t next_round_ms_ = 0;  // monotonic
  std::vector<PendingSet::Entry> due_;
  std::uint32_t reading_ = 0;  // under way
  std::unordered_map<std::string, std::uint64_t> turn_of_;  // by producer group: whose turn it is to be asked
};

}  // namespace gantry::semantics
