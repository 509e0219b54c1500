// Messages that wait longer than retention keeps the log: they are stored again at its end, so that the old log files can go (docs/design/0008-copied-forward.md).
//
// A copy is one record in two queues, like a delivery: in the waiting queue it waits anew, in the op queue it settles the entry that it was copied from. So a
// crash keeps one of the two, never both and never none. It is whole: a reference to the old body would keep the old file.
#pragma once

#include "kernel/semantics/held_queue.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::semantics {

// Where a copied message was stored first; for a message that was never copied where it is. That is what its sender knows it by.
[[nodiscard]] inline std::int64_t first_pos(const broker::StoredMessage &message) { return message.prepared_pos != 0 ? message.prepared_pos - 1 : message.phys_pos; }
[[nodiscard]] inline bool is_copy(const broker::StoredMessage &message) { return message.prepared_pos != 0; }

// [thread: shard 0, unless said otherwise]
class CopyForward {
 public:
  struct Hooks {
    std::function<void(std::int64_t queue_off, const std::string &why)> lost;  // the entry is claimed and can never be copied or delivered: settle it
    std::function<void(std::int64_t first_pos)> copied;                       // a message was; the copy can be read
  };

  // All outlive it.
  CopyForward(broker::Core &core, broker::Relay &relay, HeldQueue &queue) : core_(core), relay_(relay), queue_(queue) {}

  // [thread: control, before the shards run]
  void start(Hooks hooks);
  void drain() { draining_ = true; }
  // [thread: control, after the shards stopped]
  void stop();

  // A step of the work, if there is any; the queue is ready(). Returns in how many ms it wants to be called again at the latest.
  [[nodiscard]] std::int64_t turn();
  // True: the entry is being copied; `again` is called once that has come to an end. What it became is to be looked up then.
  [[nodiscard]] bool wait_for(std::int64_t queue_off, std::function<void()> again);

 private:
  enum class State : std::uint8_t { kIdle, kSurvey, kSample, kCopy };
  struct Waiting {
    PendingSet::Entry entry;
    std::int64_t phys_pos;
  };
  struct Copy {
    std::int64_t due_ms = 0;
    std::int64_t first_pos = 0;  // see first_pos()
    std::vector<std::function<void()>> waiters;
  };
  struct Sample {
    std::int64_t phys_pos, bytes;
  };

  void look(std::int64_t now_ms);
  void survey();
  void on_index(const gantry_read_result &result);
  void take_samples();
  void decide();
  [[nodiscard]] bool pays(std::int64_t end, std::size_t *count) const;
  void copy_some(std::int64_t now_ms);
  void read(const std::vector<PendingSet::Entry> &entries);
  void on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result);
  void on_sample(std::int64_t queue_off, const gantry_read_result *result);
  void copy(const gantry_record &record);
  void on_stored(std::int64_t queue_off, std::int32_t status);
  void give_back(std::int64_t queue_off);
  void finish(std::int64_t queue_off);
  void forget_settled();
  void rest(std::int64_t ms);
  static void on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  broker::Core &core_;
  broker::Relay &relay_;
  HeldQueue &queue_;
  Hooks hooks_;
  gantry_cq store_cq_ = 0;
  bool draining_ = false;

  State state_ = State::kIdle;
  std::int64_t next_look_ms_ = 0;                  // monotonic
  std::int64_t begin_ = 0, file_end_ = 0, end_ = 0;  // log positions: what could go is [begin_, end_), its oldest file ends at file_end_
  std::int64_t next_off_ = 0;                      // of the survey
  bool index_busy_ = false, first_known_ = false;
  std::vector<Waiting> entries_;                   // that wait in there, in the order of the log
  std::vector<Sample> samples_;
  std::size_t at_ = 0;                             // the next of entries_ to copy
  std::uint32_t reading_ = 0;
  std::int64_t tokens_ = 0, tokens_ms_ = 0;        // bytes that may be copied now; when that was told
  std::unordered_map<std::int64_t, Copy> copying_;  // by queue offset; claimed
  std::vector<std::int64_t> unsure_;                // of these: stored perhaps, the op queue will tell
};

}  // namespace gantry::semantics
