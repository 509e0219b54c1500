// Threads that read what is no longer in memory: records from log files, entries from run files, records by key.
#pragma once

#include "core.hpp"
#include "hot_read.hpp"
#include "key_query.hpp"
#include "seek.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
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
  // Brings `count` extents into the cache, the first begins at that log position, or as many behind those that are there; not when the readers are busy. [thread: any]
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
  void answer_expired(const ColdRead &read);
  [[nodiscard]] bool has_expired(const Segment &segment);
  void perform(ColdRead &read);
  void perform(const ColdSeek &seek);
  void perform(const KeyQuery &query);
  [[nodiscard]] ReadResult *fetch_found(const KeySearch &search);
  enum class Resolved { kFound, kDropped, kCorrupt };
  [[nodiscard]] Resolved resolve(ColdRead &read);
  [[nodiscard]] bool resolve_position(ColdRead &read, std::int32_t *status);
  void open_window(const ColdRead &read, const RunPart &part);
  [[nodiscard]] bool resolve_part(ColdRead &read, const RunPart &part, std::uint32_t *scanned, std::uint64_t *bytes);
  [[nodiscard]] std::shared_ptr<RunFile> usable(const RunPart &part, bool *dropped);
  [[nodiscard]] ReadResult *collect(const ColdRead &read, std::span<const LogPos> wanted, ExtentRef *last);
  [[nodiscard]] ReadResult *collect_index(const ColdRead &read);
  [[nodiscard]] ReadResult *collect_one(const ColdRecord &record);
  // ---- readers_extents.cpp
  enum class Found { kGood, kBad, kUnread };
  [[nodiscard]] Found place(const ColdRecord &record, LogPos stable, std::span<const LogPos> wanted, ExtentRef *last, std::uint8_t *to, const std::uint8_t **at);
  [[nodiscard]] ExtentRef extent_of(const Segment &segment, std::int64_t begin, LogPos stable, std::span<const LogPos> wanted);
  [[nodiscard]] std::shared_ptr<Extent> fill(const Segment &segment, std::int64_t begin, bool verify);
  [[nodiscard]] static bool compare(const Segment &segment, const std::vector<RecordRow> &rows, Extent *extent);
  static void keep_bases(std::vector<RecordRow> rows, Extent *extent);
  ExtentRef fill_run(const Segment &segment, std::int64_t begin, std::uint32_t n, bool ahead);
  [[nodiscard]] bool rows_between(const Segment &segment, std::int64_t begin, std::int64_t end, std::vector<RecordRow> *rows);
  [[nodiscard]] bool read_direct(const ColdRecord &record, std::uint8_t *to);
  // ---- readers_bases.cpp
  [[nodiscard]] std::optional<Reference> reference_of(const ColdRecord &record, const std::uint8_t *stored);
  [[nodiscard]] bool borrow(const Reference &reference, const ColdRecord &record, const std::uint8_t *stored, ExtentRef *last, ReadResult *result, gantry_span *whole);
  [[nodiscard]] bool read_base(const Reference &reference, ExtentRef *last, const std::function<void(const std::uint8_t *)> &use);
  void perform_ahead(LogPos begin, std::uint32_t count);
  void report_bad(const Segment &segment, LogPos pos, std::uint32_t bytes);
  [[nodiscard]] std::string owner_of(const Segment &segment, std::uint32_t offset);

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
