// Threads that read what is no longer in memory: records from log files, entries from run files, records by key.
#pragma once

#include "core.hpp"
#include "hot_read.hpp"
#include "key_query.hpp"
#include "seek.hpp"

#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

namespace gantry::commitlog {

struct ColdSeek {
  gantry_cq cq = 0;
  std::uint64_t user_data = 0;
  RunPart part;          // the answer is in it, or its end
  std::uint32_t queue = 0;
  std::int64_t ms = 0;
  QueueOff end;          // offset after the part
};

class Readers {
 public:
  explicit Readers(Core &core);
  ~Readers();
  Readers(const Readers &) = delete;
  Readers &operator=(const Readers &) = delete;

  void start();
  // Ends the threads; what is still waiting is answered with CANCELLED.
  void stop();
  // [thread: any]
  void submit(ColdRead read);
  void submit(ColdSeek seek);
  void submit(const KeyQuery &query);
  // Brings `count` extents into the cache, the first begins at that log position; not when the readers are busy. [thread: any]
  void ahead(LogPos begin, std::uint32_t count);

 private:
  struct Task {
    std::unique_ptr<ColdRead> read;
    std::unique_ptr<ColdSeek> seek;
    std::unique_ptr<KeyQuery> keys;
    LogPos ahead;  // none of them
    std::uint32_t ahead_count = 0;
  };
  void run();
  void push(Task task);
  void answer(const ColdRead &read, std::int32_t status, ReadResult *result) const;
  void perform(ColdRead &read);
  void perform(const ColdSeek &seek);
  void perform(const KeyQuery &query);
  [[nodiscard]] ReadResult *fetch_found(const KeySearch &search);
  [[nodiscard]] bool resolve(ColdRead &read);
  [[nodiscard]] bool resolve_position(ColdRead &read, std::int32_t *status);
  void open_window(const ColdRead &read, const RunPart &part);
  [[nodiscard]] bool resolve_part(ColdRead &read, const RunPart &part, std::uint32_t *scanned, std::uint64_t *bytes);
  [[nodiscard]] std::shared_ptr<RunFile> usable(const RunPart &part);
  [[nodiscard]] ReadResult *collect(const ColdRead &read);
  [[nodiscard]] ReadResult *collect_index(const ColdRead &read);
  [[nodiscard]] ReadResult *collect_one(const ColdRecord &record);
  // ---- readers_extents.cpp
  enum class Found { kGood, kBad, kUnread };
  [[nodiscard]] Found place(const ColdRecord &record, LogPos stable, ExtentRef *last, std::uint8_t *to, const std::uint8_t **at);
  [[nodiscard]] ExtentRef extent_of(const Segment &segment, std::int64_t begin, LogPos stable);
  [[nodiscard]] std::shared_ptr<Extent> fill(const Segment &segment, std::int64_t begin, bool verify);
  [[nodiscard]] bool rows_between(const Segment &segment, std::int64_t begin, std::int64_t end, std::vector<RecordRow> *rows);
  [[nodiscard]] bool read_direct(const ColdRecord &record, std::uint8_t *to);
  void perform_ahead(LogPos begin, std::uint32_t count);
  void report_bad(const Segment &segment, LogPos pos, std::uint32_t bytes);

  Core &core_;
  std::mutex rebuild_mutex_;
  std::mutex mutex_;  // leaf: everything below
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  int working_ = 0;  // threads that have a task
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gantry::commitlog
